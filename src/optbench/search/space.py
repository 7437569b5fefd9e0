"""What a search tries: a space of hyper-parameters for each optimizer, all of the same size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Lt

# What may be searched, in the order of the coordinates of a point.
DIMENSIONS = ("lr", "weight_decay", "damping")

# Each hyper-parameter's range [low, high], log-uniform, or a plain number: fixed, not searched.
Space = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Search:
    """A workload's search: its budget an optimizer, what all trials share, and the spaces."""

    trials: Annotated[int, Gt(0)]
    schedule: str
    epochs: Annotated[int, Gt(0)]
    threads: Annotated[int, Gt(0), Lt(1025)]
    seed: Annotated[int, Ge(0), Lt(2**31)]  # of the points, and of every trial's training
    space: Mapping[str, Mapping[str, Any]]  # by optimizer


def ranges(space: Space) -> dict[str, tuple[float, float]]:
    """The searched dimensions with their low and high, in the order of `DIMENSIONS`."""
    return {
        name: (float(space[name][0]), float(space[name][1]))
        for name in DIMENSIONS
        if isinstance(space.get(name), list | tuple)
    }


def decades(space: Space) -> float:
    """The size of a space: the sum of its ranges' powers of ten."""
    return sum(math.log10(high / low) for low, high in ranges(space).values())


def at(space: Space, unit: Sequence[float]) -> dict[str, float]:
    """The hyper-parameters at a point of the unit cube, with three significant digits."""
    values = {name: float(space[name]) for name in space if name not in ranges(space)}
    for (name, (low, high)), coordinate in zip(ranges(space).items(), unit, strict=True):
        values[name] = float(f"{low * (high / low) ** coordinate:.3g}")
    return {name: values[name] for name in DIMENSIONS if name in values}


def position(bounds: tuple[float, float], value: float) -> float:
    """Where a value lies in a range, as a fraction of its decades: 0 is low, 1 is high."""
    low, high = bounds
    return math.log(value / low) / math.log(high / low)


def hyper_parameters(row: object) -> dict[str, float]:
    """What a trial or a winner has of the dimensions."""
    values = {name: getattr(row, name) for name in DIMENSIONS}
    return {name: value for name, value in values.items() if value is not None}
