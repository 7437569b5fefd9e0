"""An arm of a comparison: one optimizer under one schedule, and how its values were chosen."""

from dataclasses import dataclass

TUNED = "tuned"  # by each study, which searches the optimizer's space
UNTUNED = "untuned"  # its authors' defaults
PUBLISHED = "published"  # the room's row as it stands
LABELS = {TUNED: "", UNTUNED: ", untuned", PUBLISHED: ", as published"}


@dataclass(frozen=True, order=True)
class Arm:
    """An optimizer under a schedule, by their names."""

    optimizer: str
    schedule: str
    tuning: str = TUNED

    def __str__(self) -> str:
        """As people read it, for example `adamw / cosine`."""
        return f"{self.optimizer} / {self.schedule}{LABELS[self.tuning]}"

    @property
    def key(self) -> str:
        """As files and stages are called, for example `adamw-cosine` or `adamw-cosine-untuned`."""
        parts = (self.optimizer, self.schedule, *(() if self.tuning == TUNED else (self.tuning,)))
        return "-".join(parts)

    @classmethod
    def of(cls, key: str) -> "Arm":
        """The inverse of `key`; names of optimizers and schedules hold no hyphen.

        Raises:
            ValueError: the text is no optimizer, schedule and tuning with hyphens between.
        """
        optimizer, _, rest = key.partition("-")
        schedule, hyphen, stated = rest.partition("-")
        tuning = stated if hyphen else TUNED
        is_key = optimizer.isidentifier() and schedule.isidentifier() and tuning in LABELS
        if not is_key or stated == TUNED:
            raise ValueError(
                f"'{key}' names no arm, as in 'adamw-cosine', 'adamw-cosine-{UNTUNED}' or "
                f"'adamw-cosine-{PUBLISHED}'"
            )
        return cls(optimizer, schedule, tuning)
