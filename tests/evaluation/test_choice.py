import math
from itertools import combinations

import numpy as np
import pytest
from scipy import integrate, stats

from optbench.evaluation.choice import (
    DRAWS,
    Choice,
    chances_of_best,
    choose,
    choose_by_search,
    simulate,
)
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.verdict import Spread, pooled_spread

ERROR = 4 * 0.5 / math.sqrt(DRAWS)  # of a simulated probability, at most


def runs(optimizer: str, *accuracies: float | None, schedule: str = "cosine") -> list[Metrics]:
    return [
        Metrics(
            optimizer=optimizer, schedule=schedule, seed=seed, test_accuracy=accuracy,
            test_accuracy_low=None, test_accuracy_high=None, test_loss=None,
            calibration_error=None, epochs_to_target=None,
            diverged_at_step=None if accuracy is not None else 7,
        )
        for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip


def chosen(metrics: list[Metrics], *, allowed: set[str] | None = None) -> Choice | None:
    """With the spread pooled over the arms."""
    arms: dict[tuple[str, str], list[float]] = {}
    for run in metrics:
        if run.test_accuracy is not None:
            arms.setdefault((run.optimizer, run.schedule), []).append(run.test_accuracy)
    return choose(metrics, allowed=allowed or NAMES, spread=pooled_spread(arms.values()))


A, B = (0.950, 0.953, 0.951, 0.952, 0.954), (0.949, 0.952, 0.950, 0.951, 0.953)
NAMES = {"sgd", "adam", "adamw"}


def test_two_options_by_the_t_distribution():
    """The difference of two means is a t variable with 8 degrees of freedom."""
    first, second = chosen([*runs("sgd", *B), *runs("adam", *A)]).options
    scale = math.sqrt(2.5e-6) * math.sqrt(2 / 5)  # both variances are 2.5e-6
    chance = stats.t.cdf(0.001 / scale, 8)
    assert (first.optimizer, second.optimizer) == ("adam", "sgd")
    assert first.best == pytest.approx(chance, abs=ERROR)
    assert first.best + second.best == pytest.approx(1)
    loss = (
        scale
        * integrate.quad(lambda t: (t - 0.001 / scale) * stats.t.pdf(t, 8), 0.001 / scale, np.inf)[
            0
        ]
    )
    assert first.expected_loss == pytest.approx(loss, rel=0.05)
    assert second.expected_loss - first.expected_loss == pytest.approx(0.001, rel=0.05)


def test_control_a_known_spread_would_be_surer():
    (first, _) = chosen([*runs("sgd", *B), *runs("adam", *A)]).options
    assert stats.norm.cdf(1) - first.best > ERROR


def test_equals_share_the_chance():
    metrics = [*runs("sgd", *A), *runs("adam", *A), *runs("adamw", *A)]
    for option in chosen(metrics).options:
        assert option.best == pytest.approx(1 / 3, abs=ERROR)


def test_without_any_spread_the_best_is_certain_and_ties_are_shared():
    best, loss = simulate(np.array([0.9, 0.9, 0.8]), np.array([2, 2, 2]), sd=0.0, df=3)
    assert best == pytest.approx([0.5, 0.5, 0])
    assert loss == pytest.approx([0, 0, 0.1])


def test_what_is_not_allowed_is_no_option_but_tells_of_the_spread():
    metrics = [*runs("sgd", 0.90), *runs("adam", 0.91), *runs("kfac", *A)]
    found = chosen(metrics)
    assert {option.optimizer for option in found.options} == {"sgd", "adam"}
    assert chosen(metrics[:2]) is None
    assert chosen(metrics, allowed={"ngd"}) is None


def test_below_five_seeds_it_is_thin():
    assert not chosen([*runs("sgd", *A), *runs("adam", *B)]).thin
    assert chosen([*runs("sgd", *A), *runs("adam", *B[:4])]).thin


def test_schedules_are_options_of_their_own():
    metrics = [*runs("sgd", *A), *runs("sgd", *B, schedule="step")]
    found = chosen(metrics).options
    assert [option.schedule for option in found] == ["cosine", "step"]


def test_diverged_runs_are_counted_and_left_out():
    found = chosen([*runs("sgd", *A, None), *runs("adam", None, None)])
    (sgd,) = found.options
    assert (sgd.n, sgd.diverged, sgd.best, sgd.expected_loss) == (5, 1, 1.0, 0.0)
    assert found.left_out == [("adam", "cosine")]


def test_the_same_runs_give_the_same_numbers():
    metrics = [*runs("sgd", *A), *runs("adam", *B)]
    assert chosen(metrics) == chosen(metrics)


def test_the_spread_that_is_given_decides():
    metrics = [*runs("sgd", *B), *runs("adam", *A)]
    narrow, wide = (
        choose(metrics, allowed=NAMES, spread=Spread(sd=sd, df=8)).options[0].best
        for sd in (0.0001, 0.1)
    )
    assert narrow == pytest.approx(1, abs=ERROR)
    assert wide == pytest.approx(0.5, abs=2 * ERROR)


def test_the_best_of_some_trials_is_that_of_all_choices():
    scores = [0.3, 0.9, 0.5, 0.8]
    for count in (1, 2, 3, 4):
        best = [max(choice) for choice in combinations(scores, count)]
        expected = [best.count(score) / len(best) for score in sorted(scores)]
        assert chances_of_best(4, count) == pytest.approx(expected)


def test_two_searches_by_hand():
    """Best of two of (1, 2, 3): 2 in a third of the choices, else 3; of (2.5, 2.5, 2.5): 2.5."""
    wide, flat = choose_by_search({"wide": [1.0, 3.0, 2.0], "flat": [2.5] * 3}, 2)
    assert (wide.optimizer, flat.optimizer) == ("wide", "flat")
    assert wide.mean == pytest.approx(8 / 3)
    assert wide.best == pytest.approx(2 / 3, abs=ERROR)
    assert wide.expected_loss == pytest.approx(0.5 / 3, abs=0.01)
    assert flat.expected_loss == pytest.approx(1 / 3, abs=0.01)
    # The control: with one trial each, the sure one.
    first, _ = choose_by_search({"wide": [1.0, 3.0, 2.0], "flat": [2.5] * 3}, 1)
    assert first.optimizer == "flat"
