"""What a search tries: a space of hyper-parameters for each optimizer, all of the same size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Lt

from optbench.core.run import Budget, Seed

Range = tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]]
# Log-uniform, from low to high, by argument. What it does not name is as in the optimizer's row.
Space = Mapping[str, Range]


@dataclass(frozen=True, kw_only=True)
class Search:
    """A workload's search: its budget an optimizer, what all trials share, and the spaces."""

    trials: Annotated[int, Gt(0)]
    schedule: str
    budget: Budget  # of each trial
    threads: Annotated[int, Gt(0), Lt(1025)]
    seed: Seed  # of the points, and of every trial's training
    space: Mapping[str, Space]  # by optimizer


def decades(space: Space) -> float:
    """The size of a space: the sum of its ranges' powers of ten."""
    return sum(math.log10(high / low) for low, high in space.values())


def at(space: Space, unit: Sequence[float]) -> dict[str, float]:
    """The hyper-parameters at a point of the unit cube, with three significant digits."""
    return {
        name: float(f"{low * (high / low) ** coordinate:.3g}")
        for (name, (low, high)), coordinate in zip(space.items(), unit, strict=True)
    }


def position(bounds: Range, value: float) -> float:
    """Where a value lies in a range, as a fraction of its decades: 0 is low, 1 is high."""
    low, high = bounds
    return math.log(value / low) / math.log(high / low)
