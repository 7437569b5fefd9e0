"""What a workload's score is: its name, its unit, and which way is better.

All that evaluates, draws or tells asks the score; nothing else knows what is measured.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Score:
    """A quantity that tells how good a trained network is, on examples it was not trained on.

    Values are stored as the task computes them, an accuracy as a fraction for one; `factor` turns
    them, their differences and their spreads into the unit that people read.
    """

    name: str  # in a sentence, for example "accuracy"
    unit: str  # of a value, for example "%"; "" where it has none
    difference_unit: str  # of a difference, for example "pp"
    higher_is_better: bool
    low: float | None  # bounds, as stored; None: there is none
    high: float | None
    factor: float = 1.0
    digits: int = 2  # decimals of a value as people read it

    def value(self, value: float, digits: int | None = None) -> str:
        """A value as people read it, without its unit."""
        return f"{self.factor * value:.{self.digits if digits is None else digits}f}"

    def with_unit(self, value: float, digits: int | None = None) -> str:
        """A value with its unit, for example `95.10 %`."""
        return f"{self.value(value, digits)} {self.unit}".rstrip()

    def difference(self, value: float, digits: int | None = None) -> str:
        """A difference with its sign and unit, for example `+0.31 pp`."""
        digits = self.digits if digits is None else digits
        return f"{self.factor * value:+.{digits}f} {self.difference_unit}".rstrip()

    def gain(self, value: float) -> float:
        """A value, or a difference, as one of which more is better."""
        return value if self.higher_is_better else -value

    def reaches(self, value: float, target: float) -> bool:
        """Whether a value is at least as good as a target."""
        return self.gain(value) >= self.gain(target)

    def bounded(self, value: float) -> float:
        """The nearest value that is possible."""
        if self.low is not None:
            value = max(value, self.low)
        return value if self.high is None else min(value, self.high)

    def holds(self, value: float) -> bool:
        """Whether a value is possible."""
        return value == self.bounded(value)

    @property
    def label(self) -> str:
        """The name with the unit, as an axis or a column has it, for example `accuracy (%)`."""
        return f"{self.name} ({self.unit})" if self.unit else self.name
