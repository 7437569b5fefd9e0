"""A schedule with its arguments, over the steps of a run: what is put before it is warm-up.

A schedule is a pure function of (step, total_steps); linear warm-up and stepping once an epoch in
place of once an iteration are the same for all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optbench.core.errors import UsageError

Factor = Callable[..., tuple[float, float | None]]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The factor of the learning rate, and momentum, at each step."""

    factor: Factor
    steps: int  # of the run
    warmup_fraction: float = 0.0  # the share of all ticks in which lr rises linearly
    steps_per_tick: int = 1  # lr changes with each tick
    args: Mapping[str, Any] = field(default_factory=dict)  # of `factor`

    def __post_init__(self) -> None:
        """Raises UsageError where warm-up leaves no step to the schedule."""
        if self.ticks <= self.warmup_ticks:
            raise UsageError(
                f"warmup_fraction {self.warmup_fraction:g} leaves none of {self.ticks} steps to "
                "the schedule"
            )

    @property
    def ticks(self) -> int:
        """How many values there are."""
        return -(-self.steps // self.steps_per_tick)

    @property
    def warmup_ticks(self) -> int:
        """How many of them are warm-up."""
        return round(self.warmup_fraction * self.ticks)

    def at(self, step: int) -> tuple[float, float | None]:
        """The lr factor and the momentum (None: unchanged) at a step counted from 0."""
        tick = step // self.steps_per_tick
        after_warmup = max(tick - self.warmup_ticks, 0)
        lr_factor, momentum = self.factor(after_warmup, self.ticks - self.warmup_ticks, **self.args)
        if tick < self.warmup_ticks:
            lr_factor *= (tick + 1) / self.warmup_ticks
        return lr_factor, momentum
