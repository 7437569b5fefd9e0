"""What this machine has, and what each stage needs of it."""

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
ROOM_PARAMS = f"{WORKLOADS}/<name>/params.yaml"
CORES_SET_BY = f"{ROOM_PARAMS}: settings.threads, or those of suite or search, x settings.devices"
GPUS_SET_BY = f"{ROOM_PARAMS}: settings.devices; of the single run, override.devices"
# Where nothing fits even alone.
SMALLER = (
    "plan with fewer devices or threads, which is another experiment, or take a larger machine"
)


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a stage needs: of a run on several devices, one process for each."""

    cores: int = 1  # threads x devices
    gpus: int = 0  # devices, where they may be CUDA's

    def __or__(self, other: "Need") -> "Need":
        """What is enough for either."""
        return Need(cores=max(self.cores, other.cores), gpus=max(self.gpus, other.gpus))


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The cores that this process may use, and the names of the GPUs that CUDA may."""

    cores: int
    gpus: tuple[str, ...] = ()

    def require_room(self, *, jobs: int, need: Need) -> None:
        """Refuses more jobs than there is room for; where there are no GPUs, cores alone count.

        Raises:
            UsageError: cores or GPUs do not suffice.
        """
        _require("core", self.cores, jobs=jobs, each=need.cores, set_by=CORES_SET_BY)
        if self.gpus:
            _require("GPU", len(self.gpus), jobs=jobs, each=need.gpus, set_by=GPUS_SET_BY)

    def gpus_of(self, place: int, *, count: int) -> tuple[str, ...]:
        """The GPUs of the job in a place, counted from 0; jobs share where there are too few.

        Args:
            place: among the jobs that run at once.
            count: of GPUs for each of these jobs.
        """
        places = max(1, len(self.gpus) // count)
        first = place % places * count
        return self.gpus[first : first + count]


def this_machine() -> Machine:
    """The cores and GPUs here, as the scheduler's and CUDA's settings leave them."""
    return Machine(cores=usable_cores(), gpus=_gpus())


def most(needs: Iterable[Need]) -> Need:
    """What is enough for any of them."""
    enough = Need()
    for need in needs:
        enough |= need
    return enough


def needs_of(stages: Iterable[str]) -> dict[str, Need]:
    """What each stage needs, by params.yaml; what is not valid there, the pipeline refuses.

    Args:
        stages: by their addresses, as in `workloads/digits-cnn/dvc.yaml:train@sgd-cosine-0`.
    """
    override = _block(_read(Path("params.yaml")), "override")
    rooms: dict[Path, Any] = {}
    needs = {}
    for stage in stages:
        file, _, name = stage.rpartition(":")
        folder = Path(file).parent
        if WORKLOADS not in folder.parents:
            needs[stage] = Need()
            continue
        room = WORKLOADS / folder.relative_to(WORKLOADS).parts[0]
        if room not in rooms:
            rooms[room] = _read(room / "params.yaml")
        is_search = folder != room
        kind = "search" if is_search else name.partition("@")[0]
        needs[stage] = _need(kind, rooms[room], override)
    return needs


def _need(kind: str, params: Any, override: Mapping[str, Any]) -> Need:
    """What a stage of a room needs, by its name without the cell, or `search`."""
    settings = _block(params, "settings")
    threads, devices, device = (settings.get(key) for key in ("threads", "devices", "device"))
    if kind in ("train", "train-arm"):
        threads = _block(params, "suite").get("threads") or threads
    elif kind == "search":  # its trials train on one device
        threads, devices = _block(params, "search").get("threads") or threads, 1
    elif kind == "run":
        devices = override.get("devices") or devices
        device = override.get("device") or device
    elif kind == "cost":  # times the part of one device
        devices = 1
    else:
        return Need()
    is_on_gpus = str(device).startswith(("auto", "cuda"))
    return Need(
        cores=_count(threads) * _count(devices), gpus=_count(devices) if is_on_gpus else 0
    )


def _require(kind: str, present: int, *, jobs: int, each: int, set_by: str) -> None:
    """Refuses jobs that need more of a kind than is present."""
    if jobs * each <= present:
        return
    fit = present // each
    way_out = f"take --jobs {fit}, or --oversubscribe to share them" if fit else SMALLER
    raise UsageError(
        f"--jobs {jobs}: with {_counted(each, kind)} each ({set_by}) they need "
        f"{_counted(jobs * each, kind)}, and here {'is' if present == 1 else 'are'} {present}: "
        f"{way_out}"
    )


def _counted(count: int, kind: str) -> str:
    """For example `1 core`, `2 GPUs`."""
    return f"{count} {kind}{'' if count == 1 else 's'}"


def _count(value: Any) -> int:
    """A number of threads or devices as params.yaml has it; 1 where it is not valid."""
    return value if isinstance(value, int) and value > 0 else 1


def _read(file: Path) -> Any:
    """The content of a YAML file; None where it is none."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


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
