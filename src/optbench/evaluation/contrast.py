"""Two optimizers against each other, in the epochs that they need to the target accuracy."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from optbench.evaluation.metrics import CONFIDENCE, Metrics
from optbench.params.schema import Contrast


@dataclass(frozen=True, kw_only=True)
class Difference:
    """First less second, by Welch's t (Welch 1947); None where a spread is unknown."""

    first_mean: float
    second_mean: float
    low: float | None  # 95 % interval of the difference of the means
    high: float | None
    p: float | None
    first_n: int
    second_n: int
    missed: int  # runs that did not reach the target: counted as the whole budget


def epochs_to_target(
    metrics: Sequence[Metrics], optimizer: str, schedule: str, *, budget: int
) -> list[int]:
    """Of each seed; a run that missed the target, or diverged, counts as the whole budget.

    Their mean is the restricted mean time to target.
    """
    return [
        budget if run.epochs_to_target is None else run.epochs_to_target
        for run in metrics
        if (run.optimizer, run.schedule) == (optimizer, schedule)
    ]


def compare(metrics: Sequence[Metrics], contrast: Contrast, *, budget: int) -> Difference | None:
    """The difference in epochs to target; None where one of the two has no runs."""
    names = (contrast.first, contrast.second)
    first, second = (
        epochs_to_target(metrics, name, contrast.schedule, budget=budget) for name in names
    )
    if not first or not second:
        return None
    low = high = p = None
    if min(len(first), len(second)) > 1 and len({*first}) + len({*second}) > 2:
        test = stats.ttest_ind(first, second, equal_var=False)
        interval = test.confidence_interval(CONFIDENCE)
        low, high, p = float(interval.low), float(interval.high), float(test.pvalue)
    return Difference(
        first_mean=statistics.fmean(first),
        second_mean=statistics.fmean(second),
        low=low,
        high=high,
        p=p,
        first_n=len(first),
        second_n=len(second),
        missed=sum(
            run.epochs_to_target is None
            for run in metrics
            if run.schedule == contrast.schedule and run.optimizer in names
        ),
    )
