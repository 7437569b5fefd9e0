"""What a sweep says: the price of a value that is advised, and where one arm is ahead of another.

At each value a study's result is the trial that it chose by validation, read on the test set. All
comparisons are paired by study, whose seeds are the same at all values.

That an advised value is at most a margin worse than the best is an intersection-union test (Berger
1982): it must hold beside every other value, so that nothing depends on which of them is chosen.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from optbench.core.score import Score
from optbench.core.sweep import Sweep, planned_sweep, text_of
from optbench.evaluation.control import by_study
from optbench.evaluation.evaluate import RESULTS
from optbench.evaluation.expected import worst_reading
from optbench.evaluation.verdict import LEVEL, REFUTED, SUPPORTED, UNDECIDED
from optbench.studies.sweep_table import MADE_BY, TRIALS, SweepTrial, read_sweep
from optbench.studies.trials import Trial, choice

Gains = NDArray[np.float64]  # [values, studies], of which more is better


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A mean of differences of scores as they are stored, study by study; more is better."""

    mean: float
    low: float  # Student's, at the level that `paired` is given: else 95 %
    high: float
    floor: float  # it is above this by a one-sided test at 5 %
    p: float | None  # two-sided, of 0; None where the differences do not vary
    n: int


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A sweep that was carried out."""

    sweep: Sweep
    trials: Sequence[SweepTrial]

    def trials_of(self, arm: str, value: Any) -> list[SweepTrial]:
        """Of an arm, by its key, at a value."""
        return [trial for trial in self.trials if trial.case == (arm, text_of(value))]

    def chosen(self, arm: str, value: Any, score: Score) -> list[Trial]:
        """What each study chose for an arm at a value."""
        studies = by_study(self.trials_of(arm, value))
        return [choice(trials, score) for trials in studies.values()]

    def readings(self, arm: str, score: Score, *, validation: bool = False) -> Gains:
        """Test gains of what was chosen, [values, studies]; or, to choose by, validation gains.

        What diverged counts as the worst that is possible, or that any trial has; NaN where all
        trials of the sweep did.
        """
        worst = worst_reading(self.trials, score)

        def gain(trial: Trial) -> float:
            value = trial.validation_score if validation else trial.test_score
            reading = worst if value is None else value
            return math.nan if reading is None else score.gain(reading)

        return np.array([
            [gain(trial) for trial in self.chosen(arm, value, score)]
            for value in self.sweep.values
        ])  # fmt: skip

    def scores(self, arm: str, value: Any, score: Score) -> list[float]:
        """Test scores of what was chosen for an arm at a value, study by study."""
        gains = self.readings(arm, score)[self.index(value)]
        return [score.gain(float(gain)) for gain in gains]

    def index(self, value: Any) -> int:
        """The place of a value among the sweep's."""
        return [*map(text_of, self.sweep.values)].index(text_of(value))


def sweep_folders(workload: str, names: Iterable[str]) -> dict[str, Path]:
    """Where the sweeps of a workload are, of those that were carried out."""
    folders = {name: RESULTS / workload / "sweeps" / name for name in names}
    return {name: folder for name, folder in folders.items() if folder.is_dir()}


def sweep_files(workload: str, names: Iterable[str]) -> list[Path]:
    """All files that they left behind."""
    folders = sweep_folders(workload, names).values()
    return [folder / file for folder in folders for file in (MADE_BY, TRIALS)]


def read_sweeps(workload: str, names: Iterable[str], score: Score) -> dict[str, Swept]:
    """The sweeps of a workload, of those that were carried out.

    Raises:
        UsageError: a file is missing or damaged, or of another sweep than the planned one.
    """
    swept = {}
    for name, folder in sweep_folders(workload, names).items():
        sweep = planned_sweep(workload, name)
        swept[name] = Swept(sweep=sweep, trials=read_sweep(folder, sweep, score))
    return swept


@dataclass(frozen=True, kw_only=True)
class Price:
    """An advised value beside the others of a sweep; of differences, more is better."""

    best: Any  # of the others, the best by validation over all studies
    measured: Paired  # the advised value less the best of the others
    floor: float  # it is behind no other by more than this, by one-sided tests at 5 %
    finding: str  # on a margin
    span: float  # of the mean test scores of all values
    is_end: bool  # the best of all values is the smallest or largest number that was tried


def price(swept: Swept, arm: str, advised: Any, score: Score, *, margin: float) -> Price:
    """What an advised value costs beside the best other one, and whether more than a margin.

    The best other value is, for each study, that of the best mean validation score over the other
    studies, so that no study is read where it was chosen. The finding does not rest on it.
    Supported: surely not worse by more than the margin than any other value, each by a one-sided
    test at 5 %. Refuted: surely worse by more than one of them, at 5 % over their number
    (Bonferroni).
    """
    test, validation = (swept.readings(arm, score, validation=kind) for kind in (False, True))
    place, values = swept.index(advised), swept.sweep.values
    others = [*values[:place], *values[place + 1 :]]
    ours, theirs = test[place], np.delete(test, place, axis=0)
    beside = np.delete(validation, place, axis=0)
    differences = [paired(ours - other, LEVEL / len(others)) for other in theirs]
    floor = min(each.floor for each in differences)
    finding = UNDECIDED
    if floor >= -margin:
        finding = SUPPORTED
    elif any(each.high < -margin for each in differences):
        finding = REFUTED
    means = test.mean(axis=1)
    numbers = [value for value in values if isinstance(value, int | float)]
    return Price(
        best=others[best(beside)],
        measured=paired(ours - theirs[best_of_others(beside), np.arange(len(ours))]),
        floor=floor,
        finding=finding,
        span=float(means.max() - means.min()),
        is_end=bool(numbers) and values[best(validation)] in (min(numbers), max(numbers)),
    )


def best_of_others(validation: Gains) -> NDArray[np.int64]:
    """For each study, the value with the best mean over the other studies; [studies]."""
    others = validation.sum(axis=1, keepdims=True) - validation
    best: NDArray[np.int64] = others.argmax(axis=0)
    return best


def ahead(swept: Swept, first: str, second: str, at: Sequence[Any], score: Score) -> Paired:
    """The first arm less the second, a study's mean over some values."""
    places = [swept.index(value) for value in at]
    ours, theirs = (swept.readings(arm, score)[places] for arm in (first, second))
    return paired((ours - theirs).mean(axis=0))


def paired(differences: Gains, level: float = LEVEL) -> Paired:
    """The mean of differences, [studies], with Student's interval, of 1 - `level`, and test."""
    n, mean = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1)) / n**0.5
    half, side = (float(stats.t.ppf(1 - q, n - 1)) * error for q in (level / 2, LEVEL))
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1)) if error else None
    return Paired(mean=mean, low=mean - half, high=mean + half, floor=mean - side, p=p, n=n)


def best(validation: Gains) -> int:
    """The place of the value with the best mean over studies."""
    return int(validation.mean(axis=1).argmax())


def bests(swept: Swept, score: Score) -> Mapping[str, Any]:
    """The value with the best mean validation score, by arm."""
    values = swept.sweep.values
    return {
        arm: values[best(swept.readings(arm, score, validation=True))] for arm in swept.sweep.arms
    }
