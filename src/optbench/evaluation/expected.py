"""What a search of k trials can expect: the test score of the best of them by validation.

Dodge et al. 2019 (arXiv 1909.03004) have it for the validation score. Here trials are chosen by
validation and read on the test set, so that what they gain by being chosen is not counted. It is
exact: over all choices of k of the pooled trials, none drawn twice.
"""

import math
from collections.abc import Sequence

import numpy as np

from optbench.core.score import Score
from optbench.studies.trials import Trial, merit

COUNTS = (1, 2, 4, 8, 16, 32)  # of trials


def expected_scores(trials: Sequence[Trial], score: Score) -> dict[int, float]:
    """The expected test score of the best of k trials, by k, up to `most_trials`."""
    worst = worst_reading(trials, score)
    if worst is None:
        return {}
    values = np.array(readings(trials, score, worst=worst))
    return {
        count: float(chances_of_best(len(values), count) @ values)
        for count in COUNTS
        if count <= most_trials(trials)
    }


def most_trials(pool: Sequence[Trial]) -> int:
    """Of a search among pooled trials: larger ones share most of theirs, and tell little."""
    return max(1, len(pool) // 2)


def readings(trials: Sequence[Trial], score: Score, *, worst: float) -> list[float]:
    """The test score of each trial, the worst by validation first; `worst`: if it diverged."""
    ranked = sorted(trials, key=lambda trial: merit(trial, score) or (-math.inf, -math.inf))
    return [worst if trial.test_score is None else trial.test_score for trial in ranked]


def worst_reading(trials: Sequence[Trial], score: Score) -> float | None:
    """What a trial that diverged counts as: the worst score that is possible, or that any has.

    None where no trial says.
    """
    finished = [trial.test_score for trial in trials if trial.test_score is not None]
    if not finished:
        return None
    bound = score.low if score.higher_is_better else score.high
    return min(finished, key=score.gain) if bound is None else bound


def chances_of_best(trials: int, count: int) -> np.ndarray:
    """The chance of each of so many trials, the worst first, to be the best of `count` of them."""
    ways = [math.comb(i, count - 1) for i in range(trials)]  # of choosing the others below it
    return np.array([way / math.comb(trials, count) for way in ways])
