"""Which optimizer should I use? The chance of each to be the best, and what choosing it may cost.

The true means have the multivariate t distribution that a flat prior and one common variance give
(Gelman et al., Bayesian Data Analysis, 3rd ed., section 14.2); it is simulated.
"""

from collections.abc import Collection, Sequence
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
    best: float  # the probability that its true mean is the highest
    expected_loss: float  # of accuracy, against the best


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Options, the smallest expected loss first."""

    options: Sequence[Option]
    thin: bool  # some option has fewer than 5 seeds
    left_out: Sequence[tuple[str, str]]  # allowed, but all of its runs diverged


def choose(
    metrics: Sequence[Metrics], *, allowed: Collection[str], spread: Spread | None
) -> Choice | None:
    """Compares the options of allowed optimizers; None where there is no spread to judge by.

    `spread`: that of accuracy over seeds, which all arms have in common, allowed or not.
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
            best=float(best[i]),
            expected_loss=float(loss[i]),
        )
        for i, arm in enumerate(candidates)
    ]
    return Choice(
        options=sorted(options, key=lambda option: option.expected_loss),
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
    highest = true_means.max(axis=1, keepdims=True)
    is_best = true_means == highest
    shares = is_best / is_best.sum(axis=1, keepdims=True)  # a tie counts in parts
    return shares.mean(axis=0), (highest - true_means).mean(axis=0)


def _accuracies(runs: Sequence[Metrics]) -> list[float]:
    """Of the runs that did not diverge."""
    return [run.test_accuracy for run in runs if run.test_accuracy is not None]
