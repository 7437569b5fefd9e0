"""The kinds of steps that an optimizer takes: one may measure curvature now and then."""

from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer


@dataclass(frozen=True)
class Kind:
    """Steps that do the same work."""

    name: str
    share: float  # of all steps
    example: int | None  # a step of this kind; None: every step is of it

    def prepare(self, optimizer: Optimizer) -> None:
        """Lets the optimizer's next step be of this kind."""
        if self.example is not None:
            optimizer.steps = self.example  # type: ignore[attr-defined]


def kinds_of(optimizer: Any) -> list[Kind]:
    """The kinds of steps of an optimizer.

    One with several has a `period` of steps and a method `kind(step)`, and counts its `steps`, by
    which its work goes. Its first period is left out: there it may work more.
    """
    if not hasattr(optimizer, "kind"):
        return [Kind("step", 1.0, None)]
    steps = range(optimizer.period, 2 * optimizer.period)
    names = [optimizer.kind(step) for step in steps]
    return [
        Kind(name, names.count(name) / len(names), steps[names.index(name)])
        for name in sorted(set(names))
    ]
