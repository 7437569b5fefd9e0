import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats
from tests.evaluation.examples import ACCURACY, ADAM, ERROR, SGD, runs, trial

from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.evaluation.choice import (
    DRAWS,
    Choice,
    choose,
    choose_by_search,
    compare,
    simulate,
)
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.verdict import Spread, pooled_spread
from optbench.studies.trials import Trial

DRAWN = 4 * 0.5 / math.sqrt(DRAWS)  # error of a simulated probability, at most
KFAC = Arm("kfac", "cosine")
TURNED = replace(ERROR, higher_is_better=True)  # the wrong way round


def chosen(
    metrics: list[Metrics], *, allowed: set[str] | None = None, score: Score = ACCURACY
) -> Choice | None:
    """With the spread pooled over the arms."""
    arms: dict[Arm, list[float]] = {}
    for run in metrics:
        if run.test_score is not None:
            arms.setdefault(run.arm, []).append(run.test_score)
    spread = pooled_spread(arms.values())
    return choose(metrics, allowed=allowed or NAMES, spread=spread, score=score)


A, B = (0.950, 0.953, 0.951, 0.952, 0.954), (0.949, 0.952, 0.950, 0.951, 0.953)
NAMES = {"sgd", "adam", "adamw"}


def test_two_options_by_the_t_distribution():
    """The difference of two means is a t variable with 8 degrees of freedom."""
    first, second = chosen([*runs(SGD, *B), *runs(ADAM, *A)]).options
    scale = math.sqrt(2.5e-6) * math.sqrt(2 / 5)  # both variances are 2.5e-6
    chance = stats.t.cdf(0.001 / scale, 8)
    assert (first.arm, second.arm) == (ADAM, SGD)
    assert first.best == pytest.approx(chance, abs=DRAWN)
    assert first.best + second.best == pytest.approx(1)
    loss = (
        scale
        * integrate.quad(lambda t: (t - 0.001 / scale) * stats.t.pdf(t, 8), 0.001 / scale, np.inf)[
            0
        ]
    )
    assert first.expected_loss == pytest.approx(loss, rel=0.05)
    assert second.expected_loss - first.expected_loss == pytest.approx(0.001, rel=0.05)


def test_of_a_lower_score_the_other_is_the_best_at_the_same_loss():
    cells = [*runs(SGD, *B), *runs(ADAM, *A)]
    first, second = chosen(cells, score=ERROR).options
    assert (first.arm, second.arm) == (SGD, ADAM)
    assert first.mean == pytest.approx(0.951)
    scale = math.sqrt(2.5e-6) * math.sqrt(2 / 5)
    assert first.best == pytest.approx(stats.t.cdf(0.001 / scale, 8), abs=DRAWN)
    assert 0 < first.expected_loss < second.expected_loss
    assert second.expected_loss - first.expected_loss == pytest.approx(0.001, rel=0.05)
    assert chosen(cells, score=TURNED).options[0].arm == ADAM  # the control


def test_control_a_known_spread_would_be_surer():
    (first, _) = chosen([*runs(SGD, *B), *runs(ADAM, *A)]).options
    assert stats.norm.cdf(1) - first.best > DRAWN


def test_equals_share_the_chance():
    metrics = [*runs(SGD, *A), *runs(ADAM, *A), *runs(Arm("adamw", "cosine"), *A)]
    for option in chosen(metrics).options:
        assert option.best == pytest.approx(1 / 3, abs=DRAWN)


def test_without_any_spread_the_best_is_certain_and_ties_are_shared():
    best, loss = compare(simulate(np.array([0.9, 0.9, 0.8]), np.array([2, 2, 2]), sd=0.0, df=3))
    assert best == pytest.approx([0.5, 0.5, 0])
    assert loss == pytest.approx([0, 0, 0.1])


def test_what_is_not_allowed_is_no_option_but_tells_of_the_spread():
    metrics = [*runs(SGD, 0.90), *runs(ADAM, 0.91), *runs(KFAC, *A)]
    choice = chosen(metrics)
    assert {option.arm for option in choice.options} == {SGD, ADAM}
    assert chosen(metrics[:2]) is None
    assert chosen(metrics, allowed={"ngd"}) is None


def test_below_five_studies_it_is_thin():
    assert not chosen([*runs(SGD, *A), *runs(ADAM, *B)]).thin
    assert chosen([*runs(SGD, *A), *runs(ADAM, *B[:4])]).thin


def test_schedules_are_options_of_their_own():
    metrics = [*runs(SGD, *A), *runs(Arm("sgd", "step"), *B)]
    assert [option.arm.schedule for option in chosen(metrics).options] == ["cosine", "step"]


def test_diverged_runs_are_counted_and_left_out():
    choice = chosen([*runs(SGD, *A, None), *runs(ADAM, None, None), *runs(KFAC, None)])
    (sgd,) = choice.options
    assert (sgd.n, sgd.diverged, sgd.best, sgd.expected_loss) == (5, 1, 1.0, 0.0)
    assert choice.left_out == [ADAM]


def test_the_same_runs_give_the_same_numbers():
    metrics = [*runs(SGD, *A), *runs(ADAM, *B)]
    assert chosen(metrics) == chosen(metrics)


def test_the_spread_that_is_given_decides():
    metrics = [*runs(SGD, *B), *runs(ADAM, *A)]
    narrow, wide = (
        choose(metrics, allowed=NAMES, spread=Spread(sd=sd, df=8), score=ACCURACY).options[0].best
        for sd in (0.0001, 0.1)
    )
    assert narrow == pytest.approx(1, abs=DRAWN)
    assert wide == pytest.approx(0.5, abs=2 * DRAWN)


UNBOUNDED = replace(ACCURACY, low=None, high=None)


def pool(*scores: float | None) -> list[Trial]:
    """Trials whose test score is that of validation."""
    return [trial(number, score, score) for number, score in enumerate(scores, start=1)]


def test_two_searches_by_hand():
    """Best of two of (1, 2, 3): 2 in a third of the choices, else 3; of (2.5, 2.5, 2.5): 2.5."""
    pools = {SGD: pool(1.0, 3.0, 2.0), ADAM: pool(2.5, 2.5, 2.5)}
    wide, flat = choose_by_search(pools, count=2, score=UNBOUNDED)
    assert (wide.arm, flat.arm) == (SGD, ADAM)
    assert wide.mean == pytest.approx(8 / 3)
    assert wide.best == pytest.approx(2 / 3, abs=DRAWN)
    assert wide.expected_loss == pytest.approx(0.5 / 3, abs=0.01)
    assert flat.expected_loss == pytest.approx(1 / 3, abs=0.01)
    # The control: with one trial each, the sure one.
    first, _ = choose_by_search(pools, count=1, score=UNBOUNDED)
    assert first.arm == ADAM


def test_two_searches_of_a_lower_score_by_hand():
    """Best of two of (1, 2, 3): 2 in a third of the choices, else 1; of (1.5, 1.5, 1.5): 1.5."""
    pools = {SGD: pool(1.0, 3.0, 2.0), ADAM: pool(1.5, 1.5, 1.5)}
    wide, flat = choose_by_search(pools, count=2, score=ERROR)
    assert (wide.arm, flat.arm) == (SGD, ADAM)
    assert (wide.mean, flat.mean) == (pytest.approx(4 / 3), pytest.approx(1.5))
    assert wide.best == pytest.approx(2 / 3, abs=DRAWN)
    assert wide.expected_loss == pytest.approx(0.5 / 3, abs=0.01)
    assert flat.expected_loss == pytest.approx(1 / 3, abs=0.01)
    # The control: the wrong way round the best of two is 3 or 2.
    (turned, _) = choose_by_search(pools, count=2, score=TURNED)
    assert turned.mean == pytest.approx(8 / 3)


def test_trials_are_chosen_by_validation_and_read_on_the_test_set():
    trials = [trial(1, 0.9, 0.5), trial(2, 0.8, 0.7)]
    (searched,) = choose_by_search({SGD: trials}, count=2, score=ACCURACY)
    assert searched.mean == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("score", "values", "worst"),
    [
        (ACCURACY, [0.9, 0.8], 0.0),  # the bound
        (ERROR, [0.1, 0.4], 0.4),  # no bound: the worst of all trials
        (replace(ERROR, high=1.0), [0.1, 0.4], 1.0),
    ],
)
def test_a_trial_that_diverged_counts_as_the_worst_score(score, values, worst):
    (diverged,) = choose_by_search({SGD: pool(*values, None)}, count=1, score=score)
    assert diverged.mean == pytest.approx((sum(values) + worst) / 3)


def test_where_all_trials_diverged_there_is_nothing_to_choose():
    assert choose_by_search({SGD: pool(None, None)}, count=1, score=ERROR) == []


def test_fixed_points_are_no_options():
    metrics = [*runs(SGD, *A), *runs(replace(ADAM, tuning="untuned"), *B)]
    assert [option.arm for option in chosen(metrics).options] == [SGD]
