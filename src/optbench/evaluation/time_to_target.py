"""How often and how fast arms reach the target; a run that misses it is censored.

The performance profile is of Dolan and More 2002 (arXiv cs/0102001): of all problems, the fraction
that an optimizer solves within tau times the epochs of the best. Order optimizers by it only at
the best one: further down it changes with who else is in it (Gould and Scott 2016).
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optbench.core.arm import Arm
from optbench.core.run import Budget
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import t_interval

Problem = tuple[str, str, int | None]  # workload, schedule, study


def budget_epochs(budget: Budget, steps_per_epoch: int) -> float:
    """A budget in epochs, of which the last may be incomplete."""
    return budget.total_steps(steps_per_epoch) / steps_per_epoch


def epochs_to_target(metrics: Sequence[Metrics], arm: Arm, *, budget: float) -> list[float]:
    """Of each study; one that missed the target, or diverged, counts as the whole budget.

    Their mean is the restricted mean time to target. `budget`: in epochs.
    """
    return [
        budget if run.epochs_to_target is None else run.epochs_to_target
        for run in metrics
        if run.arm == arm
    ]


@dataclass(frozen=True, kw_only=True)
class TimeToTarget:
    """The studies of one arm."""

    arm: Arm
    n: int
    reached: int
    restricted_mean: float  # epochs; a run that misses counts as the whole budget
    low: float | None  # 95 %, t over studies; None without a spread
    high: float | None


def times_to_target(metrics: Sequence[Metrics], *, budget: float) -> list[TimeToTarget]:
    """Of each arm, in the order they first come; `budget` in epochs."""
    arms = dict.fromkeys(run.arm for run in metrics)
    return [_of_arm([run for run in metrics if run.arm == arm], arm, budget) for arm in arms]


def _of_arm(runs: Sequence[Metrics], arm: Arm, budget: float) -> TimeToTarget:
    """The runs of one arm."""
    epochs = epochs_to_target(runs, arm, budget=budget)
    low, high = mean_interval(epochs, budget=budget) if len({*epochs}) > 1 else (None, None)
    return TimeToTarget(
        arm=arm,
        n=len(epochs),
        reached=sum(run.epochs_to_target is not None for run in runs),
        restricted_mean=statistics.fmean(epochs),
        low=low,
        high=high,
    )


def mean_interval(epochs: Sequence[float], *, budget: float) -> tuple[float, float]:
    """Student's 95 % interval of a mean of at least two, cut to what is possible: 0 to `budget`."""
    low, high = t_interval(epochs)
    return max(low, 0.0), min(high, budget)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A step function for each of some optimizers, over the problems that all were run on."""

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
    """The profile of the optimizers under the schedule that has the most of them."""
    times: dict[Problem, dict[str, float | None]] = {}
    for workload, metrics in metrics_by_workload.items():
        for run in metrics:
            problem = times.setdefault((workload, run.schedule, run.study), {})
            problem[run.optimizer] = run.epochs_to_target
    under: dict[str, dict[str, None]] = {}  # optimizers by schedule, in order
    for (_, schedule, _), problem in times.items():
        under.setdefault(schedule, {}).update(dict.fromkeys(problem))
    optimizers = max(under.values(), key=len, default={})
    shared = {
        key: {name: epochs[name] for name in optimizers}
        for key, epochs in times.items()
        if epochs.keys() >= optimizers.keys()
    }
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
