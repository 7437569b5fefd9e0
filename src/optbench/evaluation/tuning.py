"""How much of an arm's spread is tuning, and how well its studies chose."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.core.space import EDGE, Space, on_edge
from optbench.evaluation.evaluate import Result
from optbench.evaluation.expected import expected_scores
from optbench.evaluation.summary import prediction_interval
from optbench.studies.trials import Trial, choice

ALARM = 0.025  # the chance of an edge in a dimension that does not matter
NEAR = 0.01  # of the score's size: a trial that close to the best is as good


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """One tuned arm's studies. Scores and spreads are as the task stores them."""

    arm: Arm
    studies: int  # that have a score
    trials: int  # in all
    diverged: int  # of them
    sd_studies: float | None  # None below two that have a score
    sd_seeds: float | None  # at the winner of one study; None where it was not repeated
    repeats: int  # seeds behind it
    regret: float | None  # mean test score that choosing by validation has lost; at least 0
    near_best: float  # share of trials whose test score is within 1 % of the best
    expected: Mapping[int, float]  # test score of the best of so many trials
    edges: Sequence[str]  # dimensions in which a better point may lie outside, see `edges_of`

    @property
    def share(self) -> float | None:
        """Of the variance over studies, what the seeds at fixed values do not explain."""
        if self.sd_seeds is None or not self.sd_studies:
            return None
        return max(0.0, 1 - (self.sd_seeds / self.sd_studies) ** 2)

    @property
    def share_interval(self) -> tuple[float, float] | None:
        """The ends of its 95 % interval by F, which takes scores to be normal; cut to 0 and 1."""
        if self.sd_seeds is None or not self.sd_studies:
            return None
        ratio = (self.sd_seeds / self.sd_studies) ** 2
        ends = (stats.f.ppf(p, self.repeats - 1, self.studies - 1) for p in (0.025, 0.975))
        low, high = (min(1.0, max(0.0, 1 - ratio / float(end))) for end in ends)
        return low, high


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """A study that was carried out to be held against those of the suite."""

    arm: Arm
    value: float | None  # None: its choice diverged
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether it fell where 95 % of studies were to fall."""
        return self.value is not None and self.low <= self.value <= self.high


def tuning_of(
    arm: Arm, results: Sequence[Result], repeats: Sequence[Trial], space: Space, score: Score
) -> Tuning:
    """What the studies of an arm tell of its tuning.

    Args:
        arm: a tuned one.
        results: of its studies.
        repeats: runs of one winner with other seeds.
        space: that they searched.
        score: what is measured.
    """
    pooled = [trial for result in results for trial in result.trials]
    finals = [r.outcome.test_score for r in results if r.outcome.test_score is not None]
    again = [trial.test_score for trial in repeats if trial.test_score is not None]
    return Tuning(
        arm=arm,
        studies=len(finals),
        trials=len(pooled),
        diverged=sum(trial.diverged_at_step is not None for trial in pooled),
        sd_studies=statistics.stdev(finals) if len(finals) > 1 else None,
        sd_seeds=statistics.stdev(again) if len(again) > 1 else None,
        repeats=len(again),
        regret=regret(results, score),
        near_best=near_best(pooled, score),
        expected=expected_scores(pooled, score),
        edges=edges_of([choice(result.trials, score) for result in results], space),
    )


def edges_of(winners: Sequence[Trial], space: Space) -> tuple[str, ...]:
    """The dimensions of which more studies chose a point at an end than chance explains.

    An end is 5 % of a range, in decades, so in a dimension that does not matter one winner in ten
    lies at one of the two. So many that this has a chance of 2.5 % or less are an alarm. A study
    whose trials all diverged chose none.
    """
    chosen = [on_edge(space, w.hyper) for w in winners if w.diverged_at_step is None]
    counts = {name: sum(name in dimensions for dimensions in chosen) for name in space}
    return tuple(
        name
        for name, count in counts.items()
        if count and float(stats.binom.sf(count - 1, len(chosen), 2 * EDGE)) <= ALARM
    )


def regret(results: Sequence[Result], score: Score) -> float | None:
    """How much better, on average, each study's best trial by test is than the one it chose."""
    losses = []
    for result in results:
        gains = [score.gain(t.test_score) for t in result.trials if t.test_score is not None]
        if result.outcome.test_score is not None:
            losses.append(max(gains) - score.gain(result.outcome.test_score))
    return statistics.fmean(losses) if losses else None


def near_best(trials: Sequence[Trial], score: Score) -> float:
    """The share of trials whose test score is within 1 % of the best one's."""
    values = [trial.test_score for trial in trials if trial.test_score is not None]
    if not values:
        return 0.0
    best = max(values, key=score.gain)
    within = [value for value in values if score.gain(best) - score.gain(value) <= NEAR * abs(best)]
    return len(within) / len(trials)


def confirmation(results: Sequence[Result], fresh: Result, score: Score) -> Confirmation | None:
    """A fresh study against the interval that those of the suite predict; None: they have none."""
    finals = [r.outcome.test_score for r in results if r.outcome.test_score is not None]
    ends = prediction_interval(finals)
    if ends is None:
        return None
    return Confirmation(
        arm=fresh.arm,
        value=fresh.outcome.test_score,
        low=score.bounded(ends[0]),
        high=score.bounded(ends[1]),
    )
