"""Which optimizer should I use? The chance of each to be the best, and what choosing it may cost.

The true means have the multivariate t distribution that a flat prior and one common variance give
(Gelman et al., Bayesian Data Analysis, 3rd ed., section 14.2); it is simulated.
"""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optbench.evaluation.metrics import Metrics
from optbench.evaluation.verdict import Spread

DRAWS = 20_000  # a probability is then known to within 0.007 at 95 %
SEED = 0
THIN_BELOW = 5  # seeds


@dataclass(frozen=True, kw_only=True)
class Option:
    """One optimizer with one schedule."""

    optimizer: str
    schedule: str
    n: int  # runs that did not diverge
    diverged: int  # not part of the loss
    mean: float  # accuracy
    sd: float | None  # its own, over seeds; None below two runs
    best: float  # the probability that its true mean is the highest
    expected_loss: float  # of accuracy, against the best


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Options, the smallest expected loss first."""

    options: Sequence[Option]
    sd: float  # taken for all
    thin: bool  # some option has fewer than 5 seeds
    left_out: Sequence[tuple[str, str]]  # allowed, but all of its runs diverged


def choose(
    metrics: Sequence[Metrics], *, allowed: Collection[str], spread: Spread | None
) -> Choice | None:
    """Compares the options of allowed optimizers; None where there is no spread to judge by.

    `spread`: that of accuracy over seeds, which the options are taken to have in common.
    """
    arms: dict[tuple[str, str], list[Metrics]] = {}
    for run in metrics:
        arms.setdefault((run.optimizer, run.schedule), []).append(run)
    accuracies = {arm: _accuracies(runs) for arm, runs in arms.items()}
    candidates = [arm for arm in arms if arm[0] in allowed and accuracies[arm]]
    if spread is None or not candidates:
        return None
    means = np.array([np.mean(accuracies[arm]) for arm in candidates])
    counts = np.array([len(accuracies[arm]) for arm in candidates])
    best, loss = simulate(means, counts, sd=spread.sd, df=spread.df)
    options = [
        Option(
            optimizer=arm[0],
            schedule=arm[1],
            n=len(accuracies[arm]),
            diverged=len(arms[arm]) - len(accuracies[arm]),
            mean=float(means[i]),
            sd=statistics.stdev(accuracies[arm]) if len(accuracies[arm]) > 1 else None,
            best=float(best[i]),
            expected_loss=float(loss[i]),
        )
        for i, arm in enumerate(candidates)
    ]
    return Choice(
        options=sorted(options, key=lambda option: option.expected_loss),
        sd=spread.sd,
        thin=min(option.n for option in options) < THIN_BELOW,
        left_out=[arm for arm in arms if arm[0] in allowed and not accuracies[arm]],
    )


def simulate(
    means: np.ndarray, counts: np.ndarray, *, sd: float, df: int
) -> tuple[np.ndarray, np.ndarray]:
    """The probability of being best and the expected loss, [arms] each."""
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
    expected_loss: float  # of score, against the best


def choose_by_search(scores: Mapping[str, Sequence[float]], count: int) -> list[Searched]:
    """Compares optimizers by the best of `count` of their trials, drawn without replacement.

    The smallest expected loss first. `scores`: of each optimizer's trials, at least `count`.
    """
    rng = np.random.default_rng(SEED)
    ranked = {name: np.sort(own) for name, own in scores.items()}
    chances = {name: chances_of_best(len(own), count) for name, own in ranked.items()}
    draws = [rng.choice(own, size=DRAWS, p=chances[name]) for name, own in ranked.items()]
    best, loss = _compared(np.stack(draws, axis=1))
    found = [
        Searched(
            optimizer=name,
            mean=float(chances[name] @ own),
            best=float(best[i]),
            expected_loss=float(loss[i]),
        )
        for i, (name, own) in enumerate(ranked.items())
    ]
    return sorted(found, key=lambda one: one.expected_loss)


def chances_of_best(trials: int, count: int) -> np.ndarray:
    """The chance of each of so many trials, the worst first, to be the best of `count` of them."""
    ways = [math.comb(i, count - 1) for i in range(trials)]  # of choosing the others below it
    return np.array(ways) / math.comb(trials, count)


def _compared(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From scores, [draws, options]: how often each is best, and what it loses on average."""
    highest = scores.max(axis=1, keepdims=True)
    is_best = scores == highest
    shares = is_best / is_best.sum(axis=1, keepdims=True)  # a tie counts in parts
    return shares.mean(axis=0), (highest - scores).mean(axis=0)


def _accuracies(runs: Sequence[Metrics]) -> list[float]:
    """Of the runs that did not diverge."""
    return [run.test_accuracy for run in runs if run.test_accuracy is not None]
