"""What this machine has, and what a number of jobs needs."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from optbench.core.cores import usable_cores
from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS

GPUS_VARIABLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one job needs."""

    threads: int = 1  # beside others
    gpu: bool = False
    threads_alone: int = 1  # of a stage that runs alone


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The cores that this process may use, and the names of the GPUs that CUDA may."""

    cores: int
    gpus: tuple[str, ...] = ()

    def require_room(self, *, jobs: int, need: Need) -> None:
        """Refuses more jobs than there is room for.

        Raises:
            UsageError: cores or GPUs do not suffice.
        """
        cores = jobs * need.threads
        if cores > self.cores:
            raise UsageError(
                f"--jobs {jobs}: with {need.threads} threads each ({WORKLOADS}/<name>/params.yaml: "
                f"settings.threads, or those of suite or search) they need {cores} cores, and here "
                f"are {self.cores}: take --jobs {self.cores // need.threads or 1}, or "
                "--oversubscribe to share them"
            )
        if need.gpu and self.gpus and jobs > len(self.gpus):
            raise UsageError(
                f"--jobs {jobs}: each needs a GPU, and here are {len(self.gpus)}: take --jobs "
                f"{len(self.gpus)}, or --oversubscribe to share them"
            )

    def gpu(self, place: int) -> str | None:
        """The GPU of the job in a place, counted from 0; None: there is none."""
        return self.gpus[place % len(self.gpus)] if self.gpus else None


def this_machine() -> Machine:
    """The cores and GPUs here, as the scheduler's and CUDA's settings leave them."""
    return Machine(cores=usable_cores(), gpus=_gpus())


def need_of(folders: Iterable[Path]) -> Need:
    """What a job of some pipelines needs at most; what is not valid, the pipeline refuses.

    Args:
        folders: of the pipelines, for example `workloads/digits-cnn`. In `workloads/<name>/search`,
            the search's threads count, else a cell's; the settings' where a stage runs alone.
    """
    needs = [_need_of_room(folder) for folder in folders if WORKLOADS in folder.parents]
    return Need(
        threads=max((need.threads for need in needs), default=1),
        gpu=any(need.gpu for need in needs),
        threads_alone=max((need.threads_alone for need in needs), default=1),
    )


def _need_of_room(folder: Path) -> Need:
    """What a job of a pipeline in a room needs, as far as the room's params.yaml is valid."""
    name, *parts = folder.relative_to(WORKLOADS).parts
    try:
        params = yaml.safe_load((WORKLOADS / name / "params.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return Need()
    settings = _block(params, "settings")
    block = _block(params, "search" if parts == ["search"] else "suite")
    alone = settings.get("threads")
    threads = block.get("threads") or alone
    device = str(settings.get("device"))
    return Need(
        threads=threads if isinstance(threads, int) else 1,
        gpu=device.startswith(("auto", "cuda")),
        threads_alone=alone if isinstance(alone, int) else 1,
    )


def _block(params: Any, section: str) -> Mapping[str, Any]:
    """A section of params; empty where there is none that is valid."""
    block = params.get(section) if isinstance(params, dict) else None
    return block if isinstance(block, dict) else {}


def _gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES names, or else all that NVIDIA's tool lists."""
    chosen = os.environ.get(GPUS_VARIABLE)
    if chosen is not None:
        return tuple(filter(None, chosen.split(",")))
    if shutil.which("nvidia-smi") is None:
        return ()
    listing = subprocess.run(
        ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False
    )
    lines = listing.stdout.splitlines() if listing.returncode == 0 else []
    return tuple(str(number) for number, _ in enumerate(lines))
