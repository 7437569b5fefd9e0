"""The shapes in params.yaml, of the project and of a room, and how a value is parsed into one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_type_hints

from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import AfterValidator, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from optbench.core.arm import Arm
from optbench.core.run import Budget, Run, Settings
from optbench.core.space import Space
from optbench.core.span import Span

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
T = TypeVar("T")


def _span(value: object) -> Span:
    """A whole number, or a range as text."""
    return Span.of(str(value))


def _arm_key(key: str) -> str:
    """Passes the key of an arm."""
    Arm.of(key)
    return key


ArmKey = Annotated[str, AfterValidator(_arm_key)]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The studies of a workload: so many of each arm; arms are named by their keys."""

    arms: Annotated[tuple[ArmKey, ...], MinLen(1)]
    studies: tuple[Annotated[Span, BeforeValidator(_span)], ...]  # their numbers, a stage each
    repeated: tuple[str, ...]  # arms whose first study's winner is trained with more seeds
    fresh: tuple[str, ...]  # arms of which one more study confirms what those of the suite predict
    threads: Annotated[int, Gt(0), Lt(1025)] | None = None  # of each study; None: as the settings

    @property
    def numbers(self) -> tuple[int, ...]:
        """Those of the studies of each arm."""
        return tuple(number for span in self.studies for number in span.numbers)

    @property
    def every_arm(self) -> tuple[Arm, ...]:
        """The arms."""
        return tuple(map(Arm.of, self.arms))

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Those of the arms."""
        return tuple(dict.fromkeys(arm.optimizer for arm in self.every_arm))


@dataclass(frozen=True, kw_only=True)
class Search:
    """What each study of a tuned arm tries: so many points of its optimizer's space."""

    trials: Annotated[int, Gt(0)]
    space: Mapping[str, Space]  # by optimizer


@dataclass(frozen=True, kw_only=True)
class Control:
    """Studies of one arm, to be held against each other as if they were of two."""

    arm: ArmKey
    studies: Annotated[int, Ge(20)]
    repeated: Annotated[int, Ge(0)]  # studies whose winner is trained with more seeds, five each


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """What the runs of a sweep have in place of the room's settings."""

    batch_size: Annotated[int, Gt(1)] | None = None
    budget: Budget | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Arms at several values of one argument; at each, a few rates are tried and one is chosen."""

    arms: Annotated[tuple[ArmKey, ...], MinLen(1)]
    argument: str  # of the optimizers; or batch_size, dataset, or lr_factor, of each arm's rate
    values: Annotated[tuple[Any, ...], MinLen(2)]
    studies: Annotated[int, Ge(2)]
    lr_factors: Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(1)] = (1.0,)
    settings: SweepSettings = SweepSettings()


@dataclass(frozen=True, kw_only=True)
class Override:
    """One-off changes to the single run alone; null means not overridden."""

    lr: Annotated[float, Gt(0)] | None = None
    weight_decay: Annotated[float, Ge(0)] | None = None
    epochs: Annotated[int, Gt(0)] | None = None
    steps: Annotated[int, Gt(0)] | None = None
    batch_size: Annotated[int, Gt(1)] | None = None
    train_split: Literal["full", "holdout"] | None = None
    precision: Literal["fp32", "bf16"] | None = None
    device: str | None = None
    devices: Annotated[int, Gt(0), Lt(1025)] | None = None

    @property
    def given(self) -> dict[str, Any]:
        """What is overridden."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def apply(self, run: Run) -> Run:
        """The run with every value that is not null put in its place."""
        given = self.given
        args = {name: given.pop(name) for name in (*given,) if name in ("lr", "weight_decay")}
        budget = {name: given.pop(name) for name in ("epochs", "steps") if name in given}
        if budget:
            given["budget"] = Budget(**budget)
        return replace(
            run,
            settings=replace(run.settings, **given),
            optimizer_args={**run.optimizer_args, **args},
        )


@dataclass(frozen=True, kw_only=True)
class RoomDocument:
    """A room's params.yaml as it stands."""

    name: str
    settings: Settings
    target: float  # of the held-out score
    suite: Suite
    optimizers: Mapping[str, Mapping[str, Any]]
    best: Mapping[str, Mapping[str, Any]]  # by the key of an arm, see `cli.best`
    search: Search | None = None
    control: Control | None = None
    sweeps: Mapping[str, Sweep] | None = None


def parse(shape: type[T], value: Any) -> tuple[T | None, list[ErrorDetails]]:
    """A value as a dataclass or model, or None with what is wrong with it."""
    # JSON mode reads a YAML list as a tuple, and stays strict in all else.
    text = json.dumps(value, default=str)
    try:
        adapter: TypeAdapter[T] = _adapter(cast("Any", shape))
        return adapter.validate_json(text), []
    except ValidationError as error:
        return None, error.errors()


def keys(shape: type[Any]) -> tuple[str, ...]:
    """The keys that a dataclass or model takes."""
    if hasattr(shape, "model_fields"):
        return tuple(shape.model_fields)
    return tuple(field.name for field in fields(shape))


def keys_at(shape: type[Any], location: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that are allowed beside the last part of an error's location in a shape."""
    for part in location[:-1]:
        if isinstance(part, str) and is_dataclass(shape) and part in keys(shape):
            shape = _dataclass_in(get_type_hints(shape)[part]) or shape
    return keys(shape)


def _dataclass_in(hint: Any) -> type[Any] | None:
    """The dataclass that a type is made of, for example that of the entries of a tuple."""
    if isinstance(hint, type) and is_dataclass(hint):
        return hint
    inner = (shape for part in get_args(hint) if (shape := _dataclass_in(part)))
    return next(inner, None)


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    """A strict, closed validator of a dataclass, or of a model that has a configuration."""
    if is_dataclass(shape) and isinstance(shape, type):
        _configure(shape)
    return TypeAdapter(shape)


def _configure(shape: type[Any]) -> None:
    """Has pydantic be strict with a dataclass and those in it, and make instances of these."""
    shape.__pydantic_config__ = STRICT
    for hint in get_type_hints(shape).values():
        if (inner := _dataclass_in(hint)) is not None:
            _configure(inner)
