"""What this machine has, and what a number of jobs needs."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optbench.core.errors import UsageError

GPUS_VARIABLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one job needs."""

    threads: int = 1
    gpu: bool = False


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
                f"--jobs {jobs}: with {need.threads} threads each (params.yaml: "
                f"workloads.<name>.threads, or a search's own) they need {cores} "
                f"cores, and here are {self.cores}: take --jobs "
                f"{self.cores // need.threads or 1}, or --oversubscribe to share them"
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
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return Machine(cores=cores, gpus=_gpus())


def need_of(folders: Iterable[Path], params: Mapping[str, Any]) -> Need:
    """What a job of some pipelines needs at most; what is not valid, the pipeline refuses.

    Args:
        folders: of the pipelines, for example `suites/digits-cnn`. Below `searches`, a search's
            own number of threads counts.
        params: what params.yaml holds.
    """
    threads, devices = [1], []
    for folder in folders:
        workload = _block(params, "workloads", folder.name)
        own = _block(params, "search", folder.name) if folder.parts[:1] == ("searches",) else {}
        count = own.get("threads", workload.get("threads"))
        if isinstance(count, int):
            threads.append(count)
        devices.append(str(workload.get("device")))
    return Need(
        threads=max(threads),
        gpu=any(device.startswith(("auto", "cuda")) for device in devices),
    )


def _block(params: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    """A workload's entry in a section; empty where there is none that is valid."""
    entry = params.get(section, {}).get(name)
    return entry if isinstance(entry, dict) else {}


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
