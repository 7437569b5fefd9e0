"""Which arm should I use? The chance of each to be the best, and what choosing it may cost.

The true means have the multivariate t distribution that a flat prior and one common variance give
(Gelman et al., Bayesian Data Analysis, 3rd ed., section 14.2); it is simulated.
"""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.verdict import Spread

DRAWS = 20_000  # a probability is then known to within 0.007 at 95 %
SEED = 0
THIN_BELOW = 5  # seeds


@dataclass(frozen=True, kw_only=True)
class Option:
    """One arm."""

    arm: Arm
    n: int  # runs that did not diverge
    diverged: int  # not part of the loss
    mean: float  # score
    sd: float | None  # of its scores over seeds; None below two runs
    best: float  # the probability that its true mean is the best
    expected_loss: float  # of score, against the best; at least 0


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Options, the smallest expected loss first."""

    options: Sequence[Option]
    sd: float  # taken for all
    thin: bool  # some option has fewer than 5 seeds
    left_out: Sequence[Arm]  # allowed, but all of its runs diverged


def choose(
    metrics: Sequence[Metrics], *, allowed: Collection[str], spread: Spread | None, score: Score
) -> Choice | None:
    """Compares the arms of allowed optimizers; None where there is no spread to judge by.

    `spread`: that of the score over seeds, which the arms are taken to have in common.
    """
    arms: dict[Arm, list[Metrics]] = {}
    for run in metrics:
        if run.optimizer in allowed:
            arms.setdefault(run.arm, []).append(run)
    scores = {arm: _scores(runs) for arm, runs in arms.items()}
    candidates = [arm for arm in arms if scores[arm]]
    if spread is None or not candidates:
        return None
    means = {arm: statistics.fmean(scores[arm]) for arm in candidates}
    gains = np.array([score.gain(means[arm]) for arm in candidates])
    counts = np.array([len(scores[arm]) for arm in candidates])
    best, loss = simulate(gains, counts, sd=spread.sd, df=spread.df)
    options = [
        Option(
            arm=arm,
            n=len(scores[arm]),
            diverged=len(arms[arm]) - len(scores[arm]),
            mean=means[arm],
            sd=statistics.stdev(scores[arm]) if len(scores[arm]) > 1 else None,
            best=float(best[i]),
            expected_loss=float(loss[i]),
        )
        for i, arm in enumerate(candidates)
    ]
    return Choice(
        options=sorted(options, key=lambda option: option.expected_loss),
        sd=spread.sd,
        thin=min(option.n for option in options) < THIN_BELOW,
        left_out=[arm for arm in arms if not scores[arm]],
    )


def simulate(
    means: np.ndarray, counts: np.ndarray, *, sd: float, df: int
) -> tuple[np.ndarray, np.ndarray]:
    """The probability of having the highest true mean and the expected loss, [arms] each."""
    rng = np.random.default_rng(SEED)
    # One common variance a draw: the arms share its error.
    scale = sd * np.sqrt(df / rng.chisquare(df, size=(DRAWS, 1)))
    true_means = means + scale * rng.standard_normal((DRAWS, len(means))) / np.sqrt(counts)
    return _compared(true_means)


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What a search of a few trials makes of one optimizer."""

    optimizer: str
    mean: float  # expected score of the best of its trials
    best: float  # the probability that no other optimizer's best trial is better
    expected_loss: float  # of score, against the best; at least 0


def choose_by_search(
    scores: Mapping[str, Sequence[float | None]], *, count: int, score: Score
) -> list[Searched]:
    """Compares optimizers by the best of `count` of their trials, drawn without replacement.

    The smallest expected loss first; none where all trials diverged. `scores`: of each
    optimizer's trials, at least `count`; None: it diverged, and counts as the worst score that
    is possible, or where there is no such bound, that any trial has.
    """
    worst = _worst([value for values in scores.values() for value in values], score)
    if worst is None:
        return []
    gains = {
        name: np.sort([score.gain(worst if value is None else value) for value in values])
        for name, values in scores.items()
    }
    rng = np.random.default_rng(SEED)
    chances = {name: chances_of_best(len(values), count) for name, values in gains.items()}
    draws = [rng.choice(values, size=DRAWS, p=chances[name]) for name, values in gains.items()]
    best, loss = _compared(np.stack(draws, axis=1))
    compared = [
        Searched(
            optimizer=name,
            mean=score.gain(float(chances[name] @ values)),  # turned twice, as it was
            best=float(best[i]),
            expected_loss=float(loss[i]),
        )
        for i, (name, values) in enumerate(gains.items())
    ]
    return sorted(compared, key=lambda option: option.expected_loss)


def chances_of_best(trials: int, count: int) -> np.ndarray:
    """The chance of each of so many trials, the worst first, to be the best of `count` of them."""
    ways = [math.comb(i, count - 1) for i in range(trials)]  # of choosing the others below it
    return np.array(ways) / math.comb(trials, count)


def _worst(scores: Sequence[float | None], score: Score) -> float | None:
    """What a trial that diverged counts as; None where no trial says."""
    finished = [value for value in scores if value is not None]
    if not finished:
        return None
    bound = score.low if score.higher_is_better else score.high
    return min(finished, key=score.gain) if bound is None else bound


def _compared(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From scores, [draws, options]: how often each is highest, and what it loses on average."""
    highest = scores.max(axis=1, keepdims=True)
    is_best = scores == highest
    shares = is_best / is_best.sum(axis=1, keepdims=True)  # a tie counts in parts
    return shares.mean(axis=0), (highest - scores).mean(axis=0)


def _scores(runs: Sequence[Metrics]) -> list[float]:
    """Of the runs that did not diverge."""
    return [run.test_score for run in runs if run.test_score is not None]
