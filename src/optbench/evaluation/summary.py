"""What the seeds of one optimizer and schedule say together. The seed is the unit."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from optbench.evaluation.metrics import CONFIDENCE, Metrics

OVER_SEEDS = "t over seeds"
ONE_NETWORK = "binomial, one network"
NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Means over the runs that did not diverge; accuracies are fractions."""

    optimizer: str
    schedule: str
    n: int  # runs that did not diverge
    diverged: int
    accuracy_mean: float | None
    accuracy_sd: float | None  # None below two runs
    accuracy_low: float | None  # 95 %, of the kind that `interval` names
    accuracy_high: float | None
    interval: str
    loss_mean: float | None
    calibration_error_mean: float | None
    reached_target: int  # runs
    epochs_to_target_median: float | None  # over the runs that reached it
    tuning: str  # how the hyper-parameters were chosen, see `tuning.py`


def summarise(
    metrics: Iterable[Metrics], tunings: Mapping[tuple[str, str], str] | None = None
) -> list[Summary]:
    """One summary for each optimizer and schedule, in the order they first come.

    `tunings` says of each how its hyper-parameters were chosen, where that matters.
    """
    groups: dict[tuple[str, str], list[Metrics]] = {}
    for run in metrics:
        groups.setdefault((run.optimizer, run.schedule), []).append(run)
    return [
        _summarise_group(*key, runs, tunings[key] if tunings else "")
        for key, runs in groups.items()
    ]


def _summarise_group(
    optimizer: str, schedule: str, runs: Sequence[Metrics], tuning: str
) -> Summary:
    """The summary of runs that differ in their seed alone."""
    finished = [run for run in runs if run.diverged_at_step is None]
    accuracies = _present(run.test_accuracy for run in finished)
    low, high, interval = accuracy_interval(finished)
    epochs = _present(run.epochs_to_target for run in finished)
    return Summary(
        optimizer=optimizer,
        schedule=schedule,
        n=len(finished),
        diverged=len(runs) - len(finished),
        accuracy_mean=_mean(accuracies),
        accuracy_sd=statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        accuracy_low=low,
        accuracy_high=high,
        interval=interval,
        loss_mean=_mean(_present(run.test_loss for run in finished)),
        calibration_error_mean=_mean(_present(run.calibration_error for run in finished)),
        reached_target=len(epochs),
        epochs_to_target_median=statistics.median(epochs) if epochs else None,
        tuning=tuning,
    )


def accuracy_interval(runs: Sequence[Metrics]) -> tuple[float | None, float | None, str]:
    """Student's t interval of the mean over seeds; for one run, its own binomial interval.

    The second says how well this one network is measured, and nothing of other seeds.
    """
    if not runs:
        return None, None, NONE
    if len(runs) == 1:
        return runs[0].test_accuracy_low, runs[0].test_accuracy_high, ONE_NETWORK
    accuracies = _present(run.test_accuracy for run in runs)
    if len({*accuracies}) == 1:  # then no spread is known
        return None, None, NONE
    return *t_interval(accuracies), OVER_SEEDS


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of at least two values."""
    mean, n = statistics.fmean(values), len(values)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * statistics.stdev(values) / n**0.5
    return mean - half, mean + half


def single_run_interval(difference: float, sd: float | None, n: int) -> tuple[float, float] | None:
    """Student's 95 % interval of a single run less a mean over n seeds, at the seeds' spread.

    None below two seeds, where no spread is known.
    """
    if sd is None or n < 2:
        return None
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd * (1 + 1 / n) ** 0.5
    return difference - half, difference + half


def _present(values: Iterable[float | None]) -> list[float]:
    """The values that are not None."""
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    """The mean, or None of nothing."""
    return statistics.fmean(values) if values else None
