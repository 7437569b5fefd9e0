"""What the studies of one arm say together. The study is the unit."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy import stats

from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.evaluation.metrics import CONFIDENCE, Metrics

OVER_STUDIES = "t over studies"
ONE_NETWORK = "one network"  # of the kind that the task's `INTERVAL` names
NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Means over the studies whose choice did not diverge; scores as the task stores them."""

    optimizer: str
    schedule: str
    tuning: str  # see `core.arm`
    n: int  # studies whose choice did not diverge
    diverged: int
    score_mean: float | None
    score_sd: float | None  # None below two runs
    score_low: float | None  # 95 %, of the kind that `interval` names, cut to what is possible
    score_high: float | None
    interval: str
    next_low: float | None  # 95 %, where one more study would fall; None below two
    next_high: float | None
    loss_mean: float | None
    reached_target: int  # studies
    epochs_to_target_median: float | None  # over those that reached it

    @property
    def arm(self) -> Arm:
        """The studies'."""
        return Arm(self.optimizer, self.schedule, self.tuning)


def summarise(metrics: Iterable[Metrics], *, score: Score) -> list[Summary]:
    """One summary for each arm, in the order they first come."""
    groups: dict[Arm, list[Metrics]] = {}
    for study in metrics:
        groups.setdefault(study.arm, []).append(study)
    return [_summarise_arm(arm, studies, score) for arm, studies in groups.items()]


def best_first(summaries: Iterable[Summary], score: Score) -> list[Summary]:
    """Summaries by their mean, the best first; those without one come last."""
    return sorted(
        summaries,
        key=lambda s: math.inf if s.score_mean is None else -score.gain(s.score_mean),
    )


def _summarise_arm(arm: Arm, runs: Sequence[Metrics], score: Score) -> Summary:
    """The summary of studies that differ in their number alone."""
    finished = [run for run in runs if run.diverged_at_step is None]
    scores = _present(run.test_score for run in finished)
    low, high, interval = score_interval(finished, score)
    ends = prediction_interval(scores)
    epochs = _present(run.epochs_to_target for run in finished)
    return Summary(
        optimizer=arm.optimizer,
        schedule=arm.schedule,
        tuning=arm.tuning,
        n=len(finished),
        diverged=len(runs) - len(finished),
        score_mean=_mean(scores),
        score_sd=statistics.stdev(scores) if len(scores) > 1 else None,
        score_low=low,
        score_high=high,
        interval=interval,
        next_low=None if ends is None else score.bounded(ends[0]),
        next_high=None if ends is None else score.bounded(ends[1]),
        loss_mean=_mean(_present(run.test_loss for run in finished)),
        reached_target=len(epochs),
        epochs_to_target_median=statistics.median(epochs) if epochs else None,
    )


def score_interval(runs: Sequence[Metrics], score: Score) -> tuple[float | None, float | None, str]:
    """Student's t interval of the mean over studies; for one, that of its own network.

    The second says how well this one network is measured, and nothing of other studies.
    """
    if len(runs) == 1 and runs[0].test_score_low is not None:
        return runs[0].test_score_low, runs[0].test_score_high, ONE_NETWORK
    scores = _present(run.test_score for run in runs)
    if len({*scores}) < 2:  # then no spread is known
        return None, None, NONE
    low, high = t_interval(scores)
    return score.bounded(low), score.bounded(high), OVER_STUDIES


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of at least two values."""
    mean, n = statistics.fmean(values), len(values)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * statistics.stdev(values) / n**0.5
    return mean - half, mean + half


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Where one more value falls in 95 % of cases, by Student's t; None below two values."""
    n = len(values)
    if n < 2:
        return None
    mean, sd = statistics.fmean(values), statistics.stdev(values)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd * (1 + 1 / n) ** 0.5
    return mean - half, mean + half


def _present(values: Iterable[float | None]) -> list[float]:
    """The values that are not None."""
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    """The mean, or None of nothing."""
    return statistics.fmean(values) if values else None
