"""What this machine has, and what the jobs of stages need."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from optbench.core.cores import usable_cores
from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS

GPUS_VARIABLE = "CUDA_VISIBLE_DEVICES"
PARAMS = "params.yaml"
ROOM = f"{WORKLOADS}/<name>/{PARAMS}"
DEVICES = f"{ROOM}: settings.devices, or {PARAMS}: override.devices"
WAY_OUT = (
    "take a machine with more, or plan with fewer, which is another experiment; --oversubscribe "
    "goes on, for example where all of that is up to date"
)


@dataclass(frozen=True, kw_only=True)
class Need:
    """What the job of a stage needs."""

    threads: int = 1  # of each device's process
    devices: int = 1
    gpu: bool = False  # each device is a GPU where there are any

    @property
    def cores(self) -> int:
        """For all threads of all devices."""
        return self.threads * self.devices

    @property
    def gpus(self) -> int:
        """Where there are any."""
        return self.devices if self.gpu else 0


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The cores that this process may use, and the names of the GPUs that CUDA may."""

    cores: int
    gpus: tuple[str, ...] = ()

    def require_room(self, *, jobs: int, needs: Iterable[Need]) -> None:
        """Refuses more jobs than there is room for, whichever of some stages they carry out.

        Raises:
            UsageError: cores or GPUs do not suffice.
        """
        for need in needs:
            self._require_cores(jobs, need)
            if self.gpus and need.gpus:
                self._require_gpus(jobs, need)

    def gpus_of(self, place: int, need: Need, *, width: int) -> tuple[str, ...]:
        """The GPUs of the job in a place: none of them another's, as far as there is room.

        Args:
            place: counted from 0.
            need: of the job, which has one GPU at least, where there are any.
            width: the most GPUs that a job beside it may need.
        """
        places = max(1, len(self.gpus) // width)
        first = place % places * width
        return self.gpus[first : first + max(1, need.gpus)]

    def _require_cores(self, jobs: int, need: Need) -> None:
        """Refuses jobs whose threads are more than the cores.

        Raises:
            UsageError: with how many there is room for.
        """
        room = self.cores // need.cores
        if jobs <= room:
            return
        keys = f"({ROOM}: settings.threads, or those of suite)"
        size = f"{need.threads} thread{'s' if need.threads > 1 else ''}"
        if need.devices > 1:
            keys, size = f"({DEVICES}; settings.threads)", f"{need.devices} devices of {size}"
        if room:
            raise UsageError(
                f"--jobs {jobs}: with {size} each {keys} they need {jobs * need.cores} cores, and "
                f"here are {self.cores}: take --jobs {room}, or --oversubscribe to share them"
            )
        raise UsageError(
            f"a job with {size} {keys} needs {need.cores} cores, and here are {self.cores}: "
            f"{WAY_OUT}"
        )

    def _require_gpus(self, jobs: int, need: Need) -> None:
        """Refuses jobs whose devices are more than the GPUs.

        Raises:
            UsageError: with how many there is room for.
        """
        room, here = len(self.gpus) // need.gpus, len(self.gpus)
        if jobs <= room:
            return
        size = f"{need.gpus} GPUs ({DEVICES})" if need.gpus > 1 else "a GPU"
        if room:
            raise UsageError(
                f"--jobs {jobs}: each needs {size}, and here are {here}: take --jobs {room}, or "
                "--oversubscribe to share them"
            )
        raise UsageError(f"a job needs {size}, and here are {here}: {WAY_OUT}")


def this_machine() -> Machine:
    """The cores and GPUs here, as the scheduler's and CUDA's settings leave them."""
    return Machine(cores=usable_cores(), gpus=_gpus())


def needs_of(stages: Iterable[str]) -> dict[str, Need]:
    """What the job of each stage needs, as far as params are valid; the pipeline refuses the rest.

    It is read from params.yaml, since plans are only made by the pipeline itself.

    Args:
        stages: by DVC's addresses, for example `workloads/digits-cnn/dvc.yaml:study@sgd-cosine-0`.
    """
    override = _block(_read(Path(PARAMS)), "override")
    rooms: dict[str, Mapping[str, Any]] = {}
    needs = {}
    for stage in stages:
        file, _, name = stage.rpartition(":")
        folder = Path(file).parent
        if WORKLOADS not in folder.parents:
            needs[stage] = Need()
            continue
        room, *parts = folder.relative_to(WORKLOADS).parts
        if room not in rooms:
            rooms[room] = _read(WORKLOADS / room / PARAMS)
        kind = name.partition("@")[0]
        needs[stage] = _need_in(rooms[room], "/".join([*parts, kind]), override)
    return needs


def _need_in(params: Mapping[str, Any], kind: str, override: Mapping[str, Any]) -> Need:
    """What a kind of a room's stages needs: what trains one run, or many, or measures.

    Args:
        params: the room's.
        kind: such as `study`, or `control/control`.
        override: what the single run has in place of the settings.
    """
    settings = _block(params, "settings")
    if kind == "run":
        changed = {name: override.get(name) for name in ("device", "devices")}
        settings = {**settings, **{name: value for name, value in changed.items() if value}}
    threads = _block(params, "suite").get("threads") or settings.get("threads")
    study = {**settings, "threads": threads}
    sections: Mapping[str, Mapping[str, Any]] = {
        "run": settings,
        "study": study,
        "repeat": study,
        "fresh": study,
        "control/control": study,
        "sweeps/sweep": settings,
        "cost": {**settings, "devices": 1},  # of one device's part of a step
    }
    if kind not in sections:
        return Need()
    chosen = sections[kind]
    return Need(
        threads=_count(chosen.get("threads")),
        devices=_count(chosen.get("devices")),
        gpu=str(chosen.get("device")).startswith(("auto", "cuda")),
    )


def _count(value: Any) -> int:
    """A number of threads or devices; 1 where it is not valid."""
    return value if type(value) is int and value > 0 else 1


def _read(path: Path) -> Mapping[str, Any]:
    """A params.yaml; empty where it is not valid."""
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return params if isinstance(params, dict) else {}


def _block(params: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """A section of params; empty where there is none that is valid."""
    block = params.get(section)
    return block if isinstance(block, dict) else {}


def _gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES names, or else all that NVIDIA's tool lists."""
    chosen = os.environ.get(GPUS_VARIABLE)
    if chosen is not None:
        # CUDA sees those before the first that is none, -1 for example.
        return tuple(takewhile(lambda name: name != "-1", filter(None, chosen.split(","))))
    if shutil.which("nvidia-smi") is None:
        return ()
    listing = subprocess.run(
        ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False
    )
    lines = listing.stdout.splitlines() if listing.returncode == 0 else []
    return tuple(str(number) for number, _ in enumerate(lines))
