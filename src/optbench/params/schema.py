"""The shape of params.yaml, and how a value is parsed into a part of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from itertools import product
from typing import Annotated, Any, TypeVar, cast, get_args, get_type_hints

from annotated_types import Gt, Le
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import ErrorDetails

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Optimizers x schedules x seeds."""

    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def arms(self) -> tuple[tuple[str, str], ...]:
        """Each optimizer with each schedule, in order."""
        return tuple(product(self.optimizers, self.schedules))


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What only evaluation reads, so that a change retrains nothing."""

    target_accuracy: Annotated[float, Gt(0), Le(1)]


@dataclass(frozen=True, kw_only=True)
class Document:
    """The top level of params.yaml."""

    workload: str
    optimizer: str
    schedule: str
    seed: int
    override: Mapping[str, Any]
    suite: Mapping[str, Any]
    workloads: Mapping[str, Any]
    optimizers: Mapping[str, Mapping[str, Any]]
    schedules: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    search: Mapping[str, Any]


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
        if isinstance(part, str) and is_dataclass(shape):
            shape = _dataclass_in(get_type_hints(shape)[part]) or shape
    return keys(shape)


def _dataclass_in(hint: Any) -> type[Any] | None:
    """The dataclass that a type is made of, for example that of the entries of a tuple."""
    if isinstance(hint, type) and is_dataclass(hint):
        return hint
    inner = (found for part in get_args(hint) if (found := _dataclass_in(part)))
    return next(inner, None)


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    """A strict, closed validator of a dataclass, or of a model that has its own configuration."""
    if is_dataclass(shape) and isinstance(shape, type):
        return TypeAdapter(pydantic_dataclass(shape, config=STRICT, frozen=True))
    return TypeAdapter(shape)
