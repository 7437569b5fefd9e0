"""One training run, fully resolved: every hyper-parameter, and the code that it depends on.

`validate` writes it as JSON into a room's plan; the trainer reads it from there, and leaves it
beside its results. So nothing that trains parses params.yaml, and a result says what made it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt

from optbench.core.arm import Arm
from optbench.core.errors import UsageError

WORKLOADS = Path("workloads")  # a room for each
SCORING_SHARE = 0.05  # of a run's time, at most, for the points of its history and its scores
MAX_SEED = 2**31 - 1
Seed = Annotated[int, Ge(0), Lt(2**31)]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long a run trains: a number of epochs or of steps, one of the two."""

    epochs: Annotated[int, Gt(0)] | None = None
    steps: Annotated[int, Gt(0)] | None = None

    def total_steps(self, steps_per_epoch: int) -> int:
        """The budget in steps."""
        if self.steps is not None:
            return self.steps
        return (self.epochs or 0) * steps_per_epoch

    def __str__(self) -> str:
        """In words, for example `10 epochs`."""
        count, unit = (self.epochs, "epoch") if self.steps is None else (self.steps, "step")
        return f"{count:,} {unit}{'' if count == 1 else 's'}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that the optimizers of a workload share: data, network, task, budget and precision."""

    dataset: str
    train_split: Literal["full", "holdout"]
    task: str
    task_args: Mapping[str, Any]
    network: str
    network_args: Mapping[str, Any]
    decay_norm_and_bias: bool
    budget: Budget
    batch_size: Annotated[int, Gt(1)]  # BatchNorm needs two examples
    precision: Literal["fp32", "bf16"]
    compile: bool
    device: str
    threads: Annotated[int, Gt(0), Lt(1025)]  # of each device's process
    devices: Annotated[int, Gt(0), Lt(1025)]  # that share each batch


@dataclass(frozen=True, kw_only=True)
class Run:
    """A trial of a study, or the single run."""

    workload: str
    optimizer: str
    schedule: str
    seed: Seed
    settings: Settings
    optimizer_args: Mapping[str, Any]  # all of them, defaults included
    schedule_args: Mapping[str, Any]  # likewise
    code: Mapping[str, str]  # sha256 of the code of each part, see `params.code`

    @property
    def arm(self) -> Arm:
        """Optimizer and schedule."""
        return Arm(self.optimizer, self.schedule)

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.arm} / seed {self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)


def from_dict(values: Mapping[str, Any]) -> Run:
    """The inverse of `Run.as_dict`, from a JSON file; lists come back as tuples.

    Raises:
        TypeError, KeyError: keys are missing, or there are others.
    """
    settings = {**values["settings"], "budget": Budget(**values["settings"]["budget"])}
    known = {field.name for field in fields(Run)}
    if unknown := set(values) - known:
        raise KeyError(min(unknown))
    return Run(**{**_tuples(values), "settings": Settings(**_tuples(settings))})


def plan_of(workload: str) -> Path:
    """The folder in which `validate` keeps the resolved runs of a workload."""
    return WORKLOADS / workload / "plan"


def read_json(path: Path) -> Any:
    """A file of a plan.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}): `dvc repro` makes it again") from error


def read_plan(path: Path) -> Run:
    """A run of a plan.

    Raises:
        UsageError: the file is missing, damaged, or not a run.
    """
    try:
        return from_dict(read_json(path))
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no run ({error}): `dvc repro` makes it again") from error


def _tuples(value: Any) -> Any:
    """A value of JSON with its lists as tuples."""
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    return value
