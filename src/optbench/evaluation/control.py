"""An A/A control: how often two halves of one arm's studies are called different.

The rule of the suite, five studies a side, should do so in 5 % of cases. Beside it stands the rule
that most comparisons follow: one search a side, whose winner is trained with five seeds.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from optbench.core.score import Score
from optbench.evaluation.metrics import CONFIDENCE
from optbench.evaluation.verdict import FEWEST_STUDIES, LEVEL
from optbench.studies.trials import Trial, choice

SPLITS = 10_000
RESAMPLES, SPLITS_EACH = 500, 1000  # of the bootstrap
SEED = 0
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Share:
    """How often a rule called a difference where there is none."""

    called: float  # of random comparisons
    low: float  # 95 %, over other studies that might have been carried out
    high: float
    sd: float  # within a side

    @property
    def holds(self) -> bool:
        """Whether it agrees with the level of the test."""
        return self.low <= LEVEL <= self.high


@dataclass(frozen=True, kw_only=True)
class Control:
    """Both rules on the same studies."""

    studies: int
    winners: int  # that were trained with more seeds
    over_studies: Share
    over_seeds: Share | None  # None: no winner was


def control_of(trials: Sequence[Trial], repeats: Sequence[Trial], score: Score) -> Control:
    """Both rules, on studies that differ in chance alone and on their winners' repeats.

    A run that diverged has no score and is left out, as in the suite.
    """
    winners = [choice(table, score).test_score for table in by_study(trials).values()]
    finals = np.array([value for value in winners if value is not None])
    seeds = [[trial.test_score for trial in table] for table in by_study(repeats).values()]
    whole = np.array([side for side in seeds if None not in side], dtype=np.float64)
    return Control(
        studies=len(finals),
        winners=len(whole),
        over_studies=share_of(finals, split_studies, sd=float(finals.std(ddof=1))),
        over_seeds=share_of(whole, pair_winners, sd=float(whole.var(axis=1, ddof=1).mean() ** 0.5))
        if len(whole) > 1
        else None,
    )


def split_studies(values: Values, rng: np.random.Generator, count: int) -> tuple[Values, Values]:
    """Sides of five studies each, [count, 5] twice, from values [studies]."""
    order = rng.random((count, len(values))).argsort(axis=1)[:, : 2 * FEWEST_STUDIES]
    drawn = values[order]
    return drawn[:, :FEWEST_STUDIES], drawn[:, FEWEST_STUDIES:]


def pair_winners(values: Values, rng: np.random.Generator, count: int) -> tuple[Values, Values]:
    """Sides of one winner's seeds each, [count, seeds] twice, from values [winners, seeds]."""
    order = rng.random((count, len(values))).argsort(axis=1)
    return values[order[:, 0]], values[order[:, 1]]


def share_of(
    values: Values,
    split: Callable[[Values, np.random.Generator, int], tuple[Values, Values]],
    *,
    sd: float,
) -> Share:
    """How often Welch's test calls two sides different.

    The interval is the bootstrap's (Efron 1979), over the units: the same share where they are
    drawn again, with replacement.
    """
    rng = np.random.default_rng(SEED)
    called = share_called(*split(values, rng, SPLITS))
    again = [
        share_called(*split(values[rng.integers(len(values), size=len(values))], rng, SPLITS_EACH))
        for _ in range(RESAMPLES)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(again, [tail, 1 - tail])
    return Share(called=called, low=float(low), high=float(high), sd=sd)


def share_called(first: Values, second: Values) -> float:
    """Of comparisons, [count, n] twice, the share that Welch's test calls different."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of sides that do not vary
        p = stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue
    return float(np.mean(p <= LEVEL))


def by_study(trials: Sequence[Trial]) -> Mapping[int, Sequence[Trial]]:
    """Trials by their study."""
    groups: dict[int, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.study, []).append(trial)
    return groups
