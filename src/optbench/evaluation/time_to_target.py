"""How often and how fast optimizers reach the target accuracy; a run that misses it is censored.

The performance profile is of Dolan and More 2002 (arXiv cs/0102001): of all problems, the fraction
that an optimizer solves within tau times the epochs of the best. Order optimizers by it only at
the best one: further down it changes with who else is in it (Gould and Scott 2016).
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import t_interval

Problem = tuple[str, str, int]  # workload, schedule, seed


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


@dataclass(frozen=True, kw_only=True)
class TimeToTarget:
    """The seeds of one optimizer and schedule."""

    optimizer: str
    schedule: str
    n: int
    reached: int
    restricted_mean: float  # epochs; a run that misses counts as the whole budget
    low: float | None  # 95 %, t over seeds; None without a spread
    high: float | None

    @property
    def reach_rate(self) -> float:
        """The fraction of runs that reached the target."""
        return self.reached / self.n


def times_to_target(metrics: Sequence[Metrics], *, budget: int) -> list[TimeToTarget]:
    """Of each optimizer and schedule, in the order they first come; `budget` in epochs."""
    arms = dict.fromkeys((run.optimizer, run.schedule) for run in metrics)
    return [_of_arm(metrics, *arm, budget=budget) for arm in arms]


def _of_arm(
    metrics: Sequence[Metrics], optimizer: str, schedule: str, *, budget: int
) -> TimeToTarget:
    """The runs of one optimizer and schedule."""
    epochs = epochs_to_target(metrics, optimizer, schedule, budget=budget)
    low, high = mean_interval(epochs, budget=budget) if len({*epochs}) > 1 else (None, None)
    return TimeToTarget(
        optimizer=optimizer,
        schedule=schedule,
        n=len(epochs),
        reached=sum(
            run.epochs_to_target is not None
            for run in metrics
            if (run.optimizer, run.schedule) == (optimizer, schedule)
        ),
        restricted_mean=statistics.fmean(epochs),
        low=low,
        high=high,
    )


def mean_interval(epochs: Sequence[int], *, budget: int) -> tuple[float, float]:
    """Student's 95 % interval of a mean of at least two, cut to what is possible: 1 to `budget`."""
    low, high = t_interval(epochs)
    return max(low, 1.0), min(high, float(budget))


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A step function for each optimizer, over the problems that all of them were run on."""

    ratios: Mapping[str, Sequence[float]]  # sorted; of problems that it solved, to the best
    by_workload: Mapping[str, int]  # how many of the problems are a workload's
    left_out: int  # problems that some optimizer was not run on

    @property
    def problems(self) -> int:
        """How many all optimizers were run on."""
        return sum(self.by_workload.values())

    def within(self, optimizer: str, tau: float) -> float:
        """The fraction of problems solved within `tau` times the epochs of the best."""
        if not self.problems:
            return 0.0
        return sum(ratio <= tau for ratio in self.ratios[optimizer]) / self.problems


def performance_profile(metrics_by_workload: Mapping[str, Sequence[Metrics]]) -> Profile:
    """The profile of all optimizers that have runs."""
    times: dict[Problem, dict[str, int | None]] = {}
    for workload, metrics in metrics_by_workload.items():
        for run in metrics:
            problem = times.setdefault((workload, run.schedule, run.seed), {})
            problem[run.optimizer] = run.epochs_to_target
    optimizers = dict.fromkeys(name for problem in times.values() for name in problem)
    shared = {key: own for key, own in times.items() if len(own) == len(optimizers)}
    ratios: dict[str, list[float]] = {name: [] for name in optimizers}
    for problem in shared.values():
        solved = {name: epochs for name, epochs in problem.items() if epochs is not None}
        for name, epochs in solved.items():
            ratios[name].append(epochs / min(solved.values()))
    return Profile(
        ratios={name: sorted(values) for name, values in ratios.items()},
        by_workload=Counter(workload for workload, _, _ in shared),
        left_out=len(times) - len(shared),
    )
