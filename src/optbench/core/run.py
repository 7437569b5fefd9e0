"""One training run, fully resolved from params.yaml.

This module is all that training knows of params.yaml. Validation, with its messages, lives in
`optbench.params`, so that a better message retrains nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Lt

from optbench.core.errors import UsageError

PARAMS = Path("params.yaml")
# The overrides that go to the optimizer; the others go to the workload.
OPTIMIZER_ARGS = ("lr", "weight_decay")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Data set, network, budget and precision: all that the optimizers share."""

    dataset: str
    train_split: Literal["full", "holdout"]
    crop_padding: Annotated[int, Ge(0)]  # pixels; 0: no random crop
    flip: bool
    network: str
    network_args: Mapping[str, Any]
    label_smoothing: Annotated[float, Ge(0), Lt(1)]
    decay_norm_and_bias: bool
    epochs: Annotated[int, Gt(0)]
    batch_size: Annotated[int, Gt(1)]  # BatchNorm needs two examples
    precision: Literal["fp32", "bf16"]
    compile: bool
    device: str
    threads: Annotated[int, Gt(0), Lt(1025)]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A cell of the suite, or the single run: workload x optimizer x schedule x seed."""

    workload: str
    optimizer: str
    schedule: str
    seed: Annotated[int, Ge(0), Lt(2**31)]
    settings: Workload
    optimizer_args: Mapping[str, Any]
    schedule_args: Mapping[str, Any]

    @property
    def cell(self) -> str:
        """The name of the run's folder below `results/<workload>/`."""
        return f"{self.optimizer}-{self.schedule}-{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Override:
    """One-off changes to the single run alone; null means not overridden."""

    lr: Annotated[float, Gt(0)] | None = None
    weight_decay: Annotated[float, Ge(0)] | None = None
    epochs: Annotated[int, Gt(0)] | None = None
    batch_size: Annotated[int, Gt(1)] | None = None
    train_split: Literal["full", "holdout"] | None = None
    precision: Literal["fp32", "bf16"] | None = None
    device: str | None = None

    def apply(self, run: Run) -> Run:
        """The run with every value that is not null put in its place."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        optimizer_args = {name: given.pop(name) for name in OPTIMIZER_ARGS if name in given}
        return replace(
            run,
            settings=replace(run.settings, **given),
            optimizer_args={**run.optimizer_args, **optimizer_args},
        )


def resolve(
    params: Mapping[str, Any], *, workload: str, optimizer: str, schedule: str, seed: int
) -> Run:
    """The run that four names select in a validated params.yaml.

    Raises:
        UsageError: params.yaml has nothing under a name.
    """
    return Run(
        workload=workload,
        optimizer=optimizer,
        schedule=schedule,
        seed=seed,
        settings=Workload(**look_up(params, "workloads", workload)),
        optimizer_args={
            **look_up(params, "optimizers", optimizer, "settings"),
            **look_up(params, "optimizers", optimizer, workload, schedule),
        },
        schedule_args=look_up(params, "schedules", schedule),
    )


def look_up(params: Mapping[str, Any], *path: str) -> Any:
    """The value at a path of keys.

    Raises:
        UsageError: there is none; the message names the keys that are there.
    """
    value: Any = params
    for depth, key in enumerate(path):
        if key not in value:
            place = f" in {'.'.join(path[:depth])}" if depth else ""
            known = ", ".join(map(str, value)) or "nothing"
            raise UsageError(f"params.yaml has no '{key}'{place}; there: {known}")
        value = value[key]
    return value


def read_params(path: Path = PARAMS) -> dict[str, Any]:
    """params.yaml as plain Python values; that it is valid, the stage `validate` has said."""
    params: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return params
