"""The hyper-parameters among which a study chooses: log-uniform ranges, and points of them."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from annotated_types import Gt

Range = tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]]
# Log-uniform, from low to high, by argument. What it does not name is as in the optimizer's row.
Space = Mapping[str, Range]
Values = Mapping[str, float]
# A value within this share of its range, in decades, from an end might be beaten outside of it.
EDGE = 0.05


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


def on_edge(space: Space, values: Values) -> tuple[str, ...]:
    """The dimensions in which a point lies near an end of its range."""
    places = {name: position(bounds, values[name]) for name, bounds in space.items()}
    return tuple(name for name, place in places.items() if not EDGE < place < 1 - EDGE)
