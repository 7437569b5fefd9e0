from itertools import combinations

import pytest
from tests.evaluation.examples import ACCURACY, ERROR, trial

from optbench.core.score import Score
from optbench.evaluation.expected import chances_of_best, expected_scores
from optbench.studies.trials import Trial, choice

TRIALS = [
    trial(1, 0.9, 0.6), trial(2, 0.7, 0.9), trial(3, 0.8, 0.7), trial(4, 0.8, 0.5, loss=0.1),
    trial(5, None, None), trial(6, 0.2, 0.3), trial(7, 0.1, 0.2), trial(8, 0.3, 0.4),
]  # fmt: skip


def by_enumeration(trials: list[Trial], count: int, score: Score, worst: float) -> float:
    """Over all choices of so many trials: the test score of what a study would choose of them."""
    chosen = [choice(some, score) for some in combinations(trials, count)]
    return sum(worst if t.test_score is None else t.test_score for t in chosen) / len(chosen)


@pytest.mark.parametrize(("score", "worst"), [(ACCURACY, 0.0), (ERROR, 0.9)])
def test_it_is_the_mean_over_all_choices(score, worst):
    expected = expected_scores(TRIALS, score)
    assert list(expected) == [1, 2, 4]  # up to half of the trials
    for count, value in expected.items():
        assert value == pytest.approx(by_enumeration(TRIALS, count, score, worst))


def test_control_reading_what_chose_is_another_number():
    """By validation alone, the expectation would be that of the maximum."""
    maxima = [max(t.validation_score or 0.0 for t in some) for some in combinations(TRIALS, 4)]
    assert expected_scores(TRIALS, ACCURACY)[4] != pytest.approx(sum(maxima) / len(maxima))


def test_where_all_diverged_nothing_is_expected():
    assert expected_scores([trial(1, None, None)], ACCURACY) == {}


def test_the_best_of_some_trials_is_that_of_all_choices():
    scores = [0.3, 0.9, 0.5, 0.8]
    for count in (1, 2, 3, 4):
        best = [max(some) for some in combinations(scores, count)]
        expected = [best.count(score) / len(best) for score in sorted(scores)]
        assert chances_of_best(4, count) == pytest.approx(expected)
