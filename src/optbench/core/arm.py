"""An arm of a comparison: one optimizer under one schedule."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Arm:
    """An optimizer under a schedule, by their names."""

    optimizer: str
    schedule: str

    def __str__(self) -> str:
        """As people read it, for example `adamw / cosine`."""
        return f"{self.optimizer} / {self.schedule}"

    @property
    def key(self) -> str:
        """As files and stages are called, for example `adamw-cosine`."""
        return f"{self.optimizer}-{self.schedule}"

    @classmethod
    def of(cls, key: str) -> "Arm":
        """The inverse of `key`; names of optimizers and schedules hold no hyphen.

        Raises:
            ValueError: the text is no two names with a hyphen between.
        """
        optimizer, hyphen, schedule = key.partition("-")
        if not (optimizer.isidentifier() and hyphen and schedule.isidentifier()):
            raise ValueError(f"'{key}' names no optimizer and schedule, as in 'adamw-cosine'")
        return cls(optimizer, schedule)
