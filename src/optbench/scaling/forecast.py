"""What is known of a reproduction before its stages run: in words, and how long they will take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from optbench.scaling.pipeline import Changes


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Of the stages that are not up to date."""

    sentences: Sequence[str] = ()
    seconds: Mapping[str, float] | None = None  # of those that take long; None: it is not known

    def left_s(self, waiting: Iterable[str], elapsed: Mapping[str, float]) -> float | None:
        """Seconds to the end, one stage after the other; None: it is not known, or nothing is left.

        Args:
            waiting: stages that are to come.
            elapsed: seconds of each that runs.
        """
        if self.seconds is None:
            return None
        rest = [self.seconds.get(stage, 0.0) for stage in waiting]
        rest += [max(self.seconds.get(stage, 0.0) - s, 0.0) for stage, s in elapsed.items()]
        return sum(rest) or None


# Told once plans are up to date, from what has changed by then, by stage.
Forecaster = Callable[[Mapping[str, Changes]], Forecast]
