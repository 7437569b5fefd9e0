from dataclasses import replace

import pytest
from tests.evaluation.examples import ACCURACY, ADAM, ERROR, SGD, metrics, runs

from optbench.core.arm import Arm
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import (
    NONE,
    ONE_NETWORK,
    OVER_STUDIES,
    Summary,
    best_first,
    summarise,
    t_interval,
)

RUN = replace(
    metrics(SGD, 0, 0.9, epochs=3.0), test_score_low=0.89, test_score_high=0.91, test_loss=0.3
)


def summary_of(cells: list[Metrics]) -> Summary:
    (summary,) = summarise(cells, score=ACCURACY)
    return summary


def test_t_intervals_over_studies_by_hand():
    summary = summary_of(runs(SGD, 0.90, 0.92, 0.94))
    assert summary.score_mean == pytest.approx(0.92)
    assert summary.score_sd == pytest.approx(0.02)
    half = 4.302652729911275 * 0.02 / 3**0.5  # t(0.975, 2), from a table
    assert summary.score_low == pytest.approx(0.92 - half)
    assert summary.score_high == pytest.approx(0.92 + half)
    assert summary.interval == OVER_STUDIES
    assert (summary.arm, summary.tuning) == (SGD, "tuned")
    half *= 2  # of one more study: sqrt(1 + 1/3) for sqrt(1/3)
    assert summary.next_low == pytest.approx(0.92 - half)
    assert summary.next_high == pytest.approx(1.0)  # the bound, below 0.92 + half
    assert summary.next_high < 0.92 + half


def test_arms_differ_by_their_tuning():
    fixed = replace(SGD, tuning="published")
    summaries = summarise([*runs(SGD, 0.9), *runs(fixed, 0.8)], score=ACCURACY)
    assert [s.arm for s in summaries] == [SGD, fixed]
    assert (summaries[0].next_low, summaries[0].next_high) == (None, None)


def test_an_interval_holds_only_what_is_possible():
    near = [0.97, 0.98, 0.999]
    assert t_interval(near)[1] > 1  # the control
    assert summary_of(runs(SGD, *near)).score_high == 1.0
    (errors,) = summarise(runs(SGD, 0.01, 0.02, 0.09), score=ERROR)
    low, high = t_interval([0.01, 0.02, 0.09])
    assert (errors.score_low, errors.score_high) == (0.0, high)
    assert low < 0 < 0.1 < high
    (large,) = summarise(runs(SGD, 3.0, 4.0, 5.0), score=ERROR)  # no upper bound
    assert large.score_high == pytest.approx(4 + 4.302652729911275 / 3**0.5)


def test_equal_runs_know_no_spread_and_have_no_interval():
    summary = summary_of(runs(SGD, 0.9, 0.9, 0.9))
    assert (summary.n, summary.score_mean) == (3, pytest.approx(0.9))
    assert (summary.score_low, summary.score_high, summary.interval) == (None, None, NONE)


def test_one_run_has_the_interval_of_its_network_and_no_spread():
    summary = summary_of([RUN])
    assert (summary.score_low, summary.score_high) == (0.89, 0.91)
    assert summary.score_sd is None
    assert summary.interval == ONE_NETWORK


def test_one_run_of_a_task_that_knows_no_interval_has_none():
    summary = summary_of(runs(SGD, 0.9))
    assert (summary.score_low, summary.score_high, summary.interval) == (None, None, NONE)


def test_diverged_runs_are_counted_and_left_out_of_the_mean():
    summary = summary_of(runs(SGD, 0.90, 0.92, None))
    assert (summary.n, summary.diverged) == (2, 1)
    assert summary.score_mean == pytest.approx(0.91)


def test_only_diverged_runs_have_no_mean():
    summary = summary_of(runs(SGD, None))
    assert (summary.n, summary.diverged, summary.score_mean) == (0, 1, None)


def test_runs_that_miss_the_target_are_not_in_its_median():
    missed = replace(RUN, study=1, epochs_to_target=None)
    late = replace(RUN, study=2, epochs_to_target=7.5)
    summary = summary_of([RUN, missed, late])
    assert (summary.reached_target, summary.epochs_to_target_median) == (2, 5.25)


def test_groups_keep_their_order():
    other = replace(RUN, optimizer="adam")
    cells = [other, RUN, replace(other, study=1)]
    summaries = summarise(cells, score=ACCURACY)
    assert [(s.optimizer, s.n) for s in summaries] == [("adam", 2), ("sgd", 1)]


def test_the_best_comes_first_whichever_way_is_better():
    kfac = Arm("kfac", "cosine")
    cells = [*runs(SGD, 0.2), *runs(kfac, None), *runs(ADAM, 0.3)]
    summaries = summarise(cells, score=ACCURACY)
    assert [s.arm for s in best_first(summaries, ACCURACY)] == [ADAM, SGD, kfac]
    assert [s.arm for s in best_first(summaries, ERROR)] == [SGD, ADAM, kfac]
