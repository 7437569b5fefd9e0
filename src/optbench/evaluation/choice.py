"""Which arm should I use? The chance of each to be the best, and what choosing it may cost.

The true means have the multivariate t distribution that a flat prior and one common variance give
(Gelman et al., Bayesian Data Analysis, 3rd ed., section 14.2); it is simulated.
"""

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optbench.core.arm import TUNED, Arm
from optbench.core.score import Score
from optbench.evaluation.expected import chances_of_best, readings, worst_reading
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.verdict import FEWEST_STUDIES, Spread
from optbench.studies.trials import Trial

DRAWS = 20_000  # a probability is then known to within 0.007 at 95 %
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Option:
    """One arm."""

    arm: Arm
    n: int  # runs that did not diverge
    diverged: int  # not part of the loss
    mean: float  # score
    sd: float | None  # of its scores over studies; None below two
    best: float  # the probability that its true mean is the best
    expected_loss: float  # of score, against the best; at least 0
    places: tuple[int, int]  # between which its true mean's place lies in 95 % of cases


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Options, the smallest expected loss first."""

    options: Sequence[Option]
    sd: float  # taken for all
    thin: bool  # some option has fewer than 5 studies
    left_out: Sequence[Arm]  # allowed, but all of its runs diverged


def choose(
    metrics: Sequence[Metrics], *, allowed: Collection[str], spread: Spread | None, score: Score
) -> Choice | None:
    """Compares the tuned arms of allowed optimizers; None where there is no spread to judge by.

    `spread`: that of the score over studies, which the arms are taken to have in common.
    """
    arms: dict[Arm, list[Metrics]] = {}
    for run in metrics:
        if run.optimizer in allowed and run.tuning == TUNED:
            arms.setdefault(run.arm, []).append(run)
    scores = {arm: _scores(runs) for arm, runs in arms.items()}
    candidates = [arm for arm in arms if scores[arm]]
    if spread is None or not candidates:
        return None
    means = {arm: statistics.fmean(scores[arm]) for arm in candidates}
    gains = np.array([score.gain(means[arm]) for arm in candidates])
    counts = np.array([len(scores[arm]) for arm in candidates])
    true_means = simulate(gains, counts, sd=spread.sd, df=spread.df)
    (best, loss), places = compare(true_means), places_of(true_means)
    options = [
        Option(
            arm=arm,
            n=len(scores[arm]),
            diverged=len(arms[arm]) - len(scores[arm]),
            mean=means[arm],
            sd=statistics.stdev(scores[arm]) if len(scores[arm]) > 1 else None,
            best=float(best[i]),
            expected_loss=float(loss[i]),
            places=(int(places[0, i]), int(places[1, i])),
        )
        for i, arm in enumerate(candidates)
    ]
    return Choice(
        options=sorted(options, key=lambda option: option.expected_loss),
        sd=spread.sd,
        thin=min(option.n for option in options) < FEWEST_STUDIES,
        left_out=[arm for arm in arms if not scores[arm]],
    )


def simulate(means: np.ndarray, counts: np.ndarray, *, sd: float, df: int) -> np.ndarray:
    """Draws of the true means, [draws, arms], from means of so many studies, [arms] each."""
    rng = np.random.default_rng(SEED)
    # One common variance a draw: the arms share its error.
    scale = sd * np.sqrt(df / rng.chisquare(df, size=(DRAWS, 1)))
    drawn: np.ndarray = means + scale * rng.standard_normal((DRAWS, len(means))) / np.sqrt(counts)
    return drawn


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What a search of a few trials makes of one optimizer."""

    arm: Arm
    mean: float  # expected test score of the best of its trials by validation
    best: float  # the probability that no other arm's best trial is better
    expected_loss: float  # of score, against the best; at least 0


def choose_by_search(
    trials: Mapping[Arm, Sequence[Trial]], *, count: int, score: Score
) -> list[Searched]:
    """Compares arms by the best of `count` of their pooled trials, drawn without replacement.

    The smallest expected loss first; none where all trials diverged. A trial that diverged counts
    as in `readings`.
    """
    worst = worst_reading([trial for pool in trials.values() for trial in pool], score)
    if worst is None:
        return []
    gains = {arm: np.array([score.gain(x) for x in readings(pool, score, worst=worst)])
             for arm, pool in trials.items()}  # fmt: skip
    rng = np.random.default_rng(SEED)
    chances = {arm: chances_of_best(len(values), count) for arm, values in gains.items()}
    draws = [rng.choice(values, size=DRAWS, p=chances[arm]) for arm, values in gains.items()]
    best, loss = compare(np.stack(draws, axis=1))
    compared = [
        Searched(
            arm=arm,
            mean=score.gain(float(chances[arm] @ values)),  # turned twice, as it was
            best=float(best[i]),
            expected_loss=float(loss[i]),
        )
        for i, (arm, values) in enumerate(gains.items())
    ]
    return sorted(compared, key=lambda option: option.expected_loss)


def places_of(scores: np.ndarray) -> np.ndarray:
    """From scores, [draws, options]: the first and last of 95 % of each one's places, [2, options].

    The highest has place 1; of equals, each has the first place of them.
    """
    ranked = np.sort(scores, axis=1)[:, ::-1]
    rows = zip(-ranked, -scores, strict=True)
    places = 1 + np.stack([np.searchsorted(high, row) for high, row in rows])
    ends: np.ndarray = np.quantile(places, (0.025, 0.975), axis=0, method="inverted_cdf")
    return ends


def compare(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From scores, [draws, options]: how often each is highest, and what it loses on average."""
    highest = scores.max(axis=1, keepdims=True)
    is_best = scores == highest
    shares = is_best / is_best.sum(axis=1, keepdims=True)  # a tie counts in parts
    return shares.mean(axis=0), (highest - scores).mean(axis=0)


def _scores(runs: Sequence[Metrics]) -> list[float]:
    """Of the runs that did not diverge."""
    return [run.test_score for run in runs if run.test_score is not None]
