import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.examples import ACCURACY, ERROR, SGD, SPACE, outcome, trial

from optbench.evaluation.evaluate import Result
from optbench.evaluation.summary import prediction_interval
from optbench.evaluation.tuning import confirmation, edges_of, near_best, regret, tuning_of


def result(number: int, test: float | None, *trials) -> Result:
    """A study that chose a run of this test score."""
    return Result(
        arm=SGD, number=number, folder=Path(), trials=trials, outcome=outcome(test_score=test)
    )


STUDIES = [
    result(0, 0.90, trial(1, 0.9, 0.90), trial(2, 0.8, 0.95)),
    result(1, 0.92, trial(1, 0.9, 0.92, study=1), trial(2, 0.7, 0.80, study=1)),
    result(2, 0.94, trial(1, 0.9, 0.94, study=2), trial(2, None, None, study=2)),
]
AGAIN = [trial(n, 0.9, score) for n, score in enumerate((0.89, 0.90, 0.91), start=1)]


def test_what_studies_tell_by_hand():
    tuning = tuning_of(SGD, STUDIES, AGAIN, SPACE, ACCURACY)
    assert (tuning.studies, tuning.trials, tuning.diverged, tuning.repeats) == (3, 6, 1, 3)
    assert tuning.sd_studies == pytest.approx(0.02)
    assert tuning.sd_seeds == pytest.approx(0.01)
    assert tuning.share == pytest.approx(0.75)  # 1 - (0.01 / 0.02)^2
    assert tuning.regret == pytest.approx((0.05 + 0 + 0) / 3)


def test_the_interval_of_tunings_share_by_a_table_of_f():
    """F(2, 2) has 2.5 % above 39.0, and below 1 / 39.0; the ratio of variances is a quarter."""
    tuning = tuning_of(SGD, STUDIES, AGAIN, SPACE, ACCURACY)
    assert tuning.share_interval == pytest.approx((0, 1 - 0.25 / 39.0))
    assert tuning_of(SGD, STUDIES, [], SPACE, ACCURACY).share_interval is None


def test_it_covers_the_true_share_in_95_of_100_cases():
    rng, share, covered, narrow = np.random.default_rng(0), 0.6, 0, 0
    plain = tuning_of(SGD, STUDIES, AGAIN, SPACE, ACCURACY)
    for _ in range(2000):
        of_studies, of_seeds = rng.normal(0, 1, 10), rng.normal(0, (1 - share) ** 0.5, 5)
        drawn = replace(
            plain, studies=10, repeats=5,
            sd_studies=statistics.stdev(of_studies), sd_seeds=statistics.stdev(of_seeds),
        )  # fmt: skip
        low, high = drawn.share_interval
        covered += low <= share <= high
        narrow += low + 0.1 <= share <= high - 0.1
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)
    assert narrow / 2000 < 0.93  # the control


def test_seeds_that_spread_more_than_studies_leave_nothing_to_tuning():
    wide = [trial(n, 0.9, score) for n, score in enumerate((0.5, 0.9), start=1)]
    assert tuning_of(SGD, STUDIES, wide, SPACE, ACCURACY).share == 0
    assert tuning_of(SGD, STUDIES, [], SPACE, ACCURACY).share is None


def test_regret_turns_with_the_score():
    studies = [result(0, 0.90, trial(1, 0.9, 0.90), trial(2, 0.8, 0.95))]
    assert regret(studies, ACCURACY) == pytest.approx(0.05)
    assert regret(studies, replace(ERROR)) == 0


def test_the_share_near_the_best_counts_those_that_diverged_as_far():
    trials = [trial(1, 0.9, 0.95), trial(2, 0.9, 0.945), trial(3, 0.9, 0.5), trial(4, None, None)]
    assert near_best(trials, ACCURACY) == 0.5
    assert near_best([trial(1, None, None)], ACCURACY) == 0


@pytest.mark.parametrize(("studies", "alarm"), [(5, 3), (10, 4), (20, 6)])
def test_an_edge_is_where_more_studies_choose_it_than_chance_explains(studies, alarm):
    """Binomial(n, 0.1): the smallest count with a tail of at most 2.5 %, from a table."""
    for count in range(studies + 1):
        winners = [trial(lr=0.00101 if n < count else 0.01) for n in range(studies)]
        assert edges_of(winners, SPACE) == (("lr",) if count >= alarm else ())
    # A trial at the edge that no study chose is none.
    unchosen = result(0, 0.9, trial(1, 0.1, 0.9, lr=0.00101), trial(2, 0.9, 0.9))
    assert tuning_of(SGD, [unchosen], [], SPACE, ACCURACY).edges == ()
    # Nor is that of a study whose trials all diverged: it chose none.
    for value in (None, 0.9):
        studies = [result(n, value, trial(1, value, value, lr=0.00101)) for n in range(5)]
        edges = tuning_of(SGD, studies, [], SPACE, ACCURACY).edges
        assert edges == (() if value is None else ("lr",))


def test_a_fresh_study_is_held_against_the_predicted_interval():
    low, high = prediction_interval([0.90, 0.92, 0.94])
    for value, holds in ((low + 1e-9, True), (low - 1e-9, False), (None, False)):
        fresh = confirmation(STUDIES, result(1000, value), ACCURACY)
        assert (fresh.low, fresh.high) == (low, min(high, 1.0))
        assert fresh.holds == holds
    assert confirmation(STUDIES[:1], result(1000, 0.9), ACCURACY) is None
