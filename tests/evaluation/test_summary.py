import dataclasses

import pytest

from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import NONE, ONE_NETWORK, OVER_SEEDS, summarise

RUN = Metrics(
    optimizer="sgd", schedule="step", seed=0, test_accuracy=0.9, test_accuracy_low=0.89,
    test_accuracy_high=0.91, test_loss=0.3, calibration_error=0.02, epochs_to_target=3,
    diverged_at_step=None,
)  # fmt: skip
DIVERGED = dataclasses.replace(
    RUN, seed=9, test_accuracy=None, test_accuracy_low=None, test_accuracy_high=None,
    test_loss=None, calibration_error=None, epochs_to_target=None, diverged_at_step=7,
)  # fmt: skip

TUNINGS = {("sgd", "step"): "untuned", ("adam", "step"): "searched"}


def runs(*accuracies: float) -> list[Metrics]:
    return [dataclasses.replace(RUN, seed=i, test_accuracy=a) for i, a in enumerate(accuracies)]


def test_t_interval_over_seeds_by_hand():
    (summary,) = summarise(runs(0.90, 0.92, 0.94), TUNINGS)
    assert summary.accuracy_mean == pytest.approx(0.92)
    assert summary.accuracy_sd == pytest.approx(0.02)
    half = 4.302652729911275 * 0.02 / 3**0.5  # t(0.975, 2), from a table
    assert summary.accuracy_low == pytest.approx(0.92 - half)
    assert summary.accuracy_high == pytest.approx(0.92 + half)
    assert summary.interval == OVER_SEEDS


def test_equal_runs_know_no_spread_and_have_no_interval():
    (summary,) = summarise(runs(0.9, 0.9, 0.9), TUNINGS)
    assert (summary.n, summary.accuracy_mean) == (3, pytest.approx(0.9))
    assert (summary.accuracy_low, summary.accuracy_high, summary.interval) == (None, None, NONE)


def test_one_run_has_its_binomial_interval_and_no_spread():
    (summary,) = summarise([RUN], TUNINGS)
    assert (summary.accuracy_low, summary.accuracy_high) == (0.89, 0.91)
    assert summary.accuracy_sd is None
    assert summary.interval == ONE_NETWORK


def test_diverged_runs_are_counted_and_left_out_of_the_mean():
    (summary,) = summarise([*runs(0.90, 0.92), DIVERGED], TUNINGS)
    assert (summary.n, summary.diverged) == (2, 1)
    assert summary.accuracy_mean == pytest.approx(0.91)


def test_only_diverged_runs_have_no_mean():
    (summary,) = summarise([DIVERGED], TUNINGS)
    assert (summary.n, summary.diverged, summary.accuracy_mean) == (0, 1, None)


def test_runs_that_miss_the_target_are_not_in_its_median():
    missed = dataclasses.replace(RUN, seed=1, epochs_to_target=None)
    late = dataclasses.replace(RUN, seed=2, epochs_to_target=7)
    (summary,) = summarise([RUN, missed, late], TUNINGS)
    assert (summary.reached_target, summary.epochs_to_target_median) == (2, 5)


def test_groups_keep_their_order():
    other = dataclasses.replace(RUN, optimizer="adam")
    summaries = summarise([other, RUN, dataclasses.replace(other, seed=1)], TUNINGS)
    assert [(s.optimizer, s.n) for s in summaries] == [("adam", 2), ("sgd", 1)]
