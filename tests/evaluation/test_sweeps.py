"""A sweep's prices and contrasts are paired by study, and no study is read where it was chosen."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.evaluation.examples import ACCURACY, ERROR, planned

from optbench.core.arm import Arm
from optbench.core.sweep import Case, Sweep
from optbench.evaluation.sweeps import (
    Swept,
    ahead,
    bests,
    price,
)
from optbench.evaluation.verdict import REFUTED, SUPPORTED, UNDECIDED
from optbench.studies.sweep_table import SweepTrial

VALUES = (0.1, 0.2, 0.4)
ADAM, RADAM = "adam-cosine", "radam-cosine"


def sweep(factors=(1.0,), studies=4, arms=(ADAM,)) -> Sweep:
    cases = [
        Case(
            value=value, run=replace(planned(Arm.of(arm)), optimizer_args={"lr": 0.5, "eps": value})
        )
        for arm in arms
        for value in VALUES
    ]
    return Sweep(name="eps", argument="eps", lr_factors=factors, studies=studies, cases=cases)


def swept(scores: dict, planned_sweep: Sweep | None = None) -> Swept:
    """Scores, (validation, test), by arm and value: a list of the trials, study by study."""
    of = planned_sweep or sweep(studies=len(next(iter(scores.values()))))
    per_study = len(of.lr_factors)
    trials = [
        SweepTrial(
            arm=arm, value=json.dumps(value), study=number // per_study,
            trial=number % per_study + 1, seed=number, values="{}",
            validation_score=validation, validation_loss=None if validation is None else 0.5,
            test_score=test, test_loss=None if test is None else 0.5,
            diverged_at_step=7 if test is None else None,
        )
        for (arm, value), pairs in scores.items()
        for number, (validation, test) in enumerate(pairs)
    ]  # fmt: skip
    return Swept(sweep=of, trials=trials)


def alike(**by_value: list[float]) -> dict:
    """Validation scores that are the test scores."""
    keys = dict(zip(("a", "b", "c"), VALUES, strict=True))
    return {(ADAM, keys[name]): [(v, v) for v in values] for name, values in by_value.items()}


def test_runs_of_a_case_have_every_rate_in_every_study_and_the_seeds_of_the_other_cases():
    of = sweep(factors=(0.1, 1.0, 3.0), studies=2)
    first, second = (of.runs(case) for case in of.cases[:2])
    assert [run.optimizer_args["lr"] for run in first] == [0.05, 0.5, 1.5] * 2
    assert [run.seed for run in first] == [run.seed for run in second] == [*range(6)]
    assert {run.optimizer_args["eps"] for run in second} == {0.2}
    assert of.trials == 18


def test_a_study_reads_the_trial_that_it_chose_by_validation():
    of = sweep(factors=(0.1, 1.0), studies=2)
    trials = {(ADAM, value): [(0.9, 0.1), (0.8, 0.99), (0.5, 0.6), (0.7, 0.3)] for value in VALUES}
    readings = swept(trials, of).readings(ADAM, ACCURACY)
    assert readings.tolist() == [[0.1, 0.3]] * 3


def priced(scores: Swept, advised: float, margin: float = 0.005, score=ACCURACY):
    return price(scores, ADAM, advised, score, margin=margin)


def test_a_price_is_the_paired_difference_from_the_best_other_value():
    scores = swept(alike(a=[0.8, 0.81, 0.83, 0.8], b=[0.9, 0.93, 0.92, 0.91], c=[0.7] * 4))
    assert bests(scores, ACCURACY) == {ADAM: 0.2}
    assert (priced(scores, 0.1).best, priced(scores, 0.2).best) == (0.2, 0.1)
    measured = priced(scores, 0.1).measured
    differences = np.subtract([0.8, 0.81, 0.83, 0.8], [0.9, 0.93, 0.92, 0.91])
    oracle = stats.ttest_1samp(differences, 0)
    interval = oracle.confidence_interval(0.95)
    assert measured.mean == pytest.approx(differences.mean())
    assert (measured.low, measured.high) == pytest.approx((interval.low, interval.high))
    assert measured.p == pytest.approx(oracle.pvalue)
    assert priced(scores, 0.2).measured.mean == pytest.approx(-differences.mean())
    assert priced(scores, 0.1).span == pytest.approx(0.915 - 0.7)


def test_the_floor_is_that_of_the_value_by_which_it_may_be_beaten_most():
    scores = swept(
        alike(a=[0.9, 0.91, 0.93, 0.9], b=[0.9, 0.93, 0.92, 0.91], c=[0.8, 0.99, 0.8, 0.9])
    )
    rows = {0.1: [0.9, 0.91, 0.93, 0.9], 0.2: [0.9, 0.93, 0.92, 0.91], 0.4: [0.8, 0.99, 0.8, 0.9]}
    bounds = [
        stats.ttest_1samp(np.subtract(rows[0.1], rows[other]), 0, alternative="greater")
        .confidence_interval(0.95).low
        for other in (0.2, 0.4)
    ]  # fmt: skip
    assert priced(scores, 0.1).floor == pytest.approx(min(bounds))


def test_the_best_at_an_end_of_the_range_is_told():
    inside = swept(alike(a=[0.8] * 3, b=[0.9, 0.91, 0.9], c=[0.7] * 3))
    assert not priced(inside, 0.1).is_end
    at_end = swept(alike(a=[0.8] * 3, b=[0.9, 0.91, 0.9], c=[0.95] * 3))
    assert priced(at_end, 0.1).is_end


def simulated(means, repetitions: int, *, agreement: float = 1.0, margin: float = 0.005):
    """Prices of the first value: ten studies, sd 0.5 pp, validation as good as `agreement`."""
    rng = np.random.default_rng(0)
    for _ in range(repetitions):
        test = np.array(means)[:, None] + rng.normal(0.9, 0.005, (3, 10))
        validation = agreement * np.array(means)[:, None] + rng.normal(0.9, 0.005, (3, 10))
        scores = {
            (ADAM, value): [*zip(v, t, strict=True)]
            for value, v, t in zip(VALUES, validation.tolist(), test.tolist(), strict=True)
        }
        yield test, priced(swept(scores), 0.1, margin)


def test_where_all_values_are_alike_the_price_is_nothing_on_average():
    """Choosing and reading on the same studies would make the advised value look dear."""
    prices, naive = [], []
    for test, measured in simulated([0.0] * 3, 300):
        prices.append(measured.measured.mean)
        naive.append(test[0].mean() - test[1:].mean(axis=1).max())
    error = np.std(prices) / 300**0.5
    assert abs(np.mean(prices)) < 3 * error
    assert np.mean(naive) < -5 * error  # the control


@pytest.mark.parametrize("agreement", [1.0, 0.0])
def test_a_value_that_is_worse_by_the_margin_is_passed_once_in_twenty(agreement):
    """However well validation tells values apart: the finding does not rest on what it chose."""
    rows = [measured for _, measured in simulated([0.0, 0.005, 0.0], 400, agreement=agreement)]
    passed = sum(measured.finding == SUPPORTED for measured in rows)
    assert passed / 400 < 0.075
    by_choice = sum(measured.measured.floor >= -0.005 for measured in rows)
    assert agreement or by_choice / 400 > 0.3  # the control: beside what was chosen alone


def test_of_an_error_the_lower_is_the_better():
    scores = swept(alike(a=[0.8, 0.81, 0.83, 0.8], b=[0.9, 0.93, 0.92, 0.91], c=[1.0] * 4))
    assert bests(scores, ERROR) == {ADAM: 0.1}
    assert priced(scores, 0.2, score=ERROR).measured.mean == pytest.approx(-0.105)
    assert priced(scores, 0.1, score=ERROR).measured.mean > 0


def test_where_all_diverged_nothing_is_found():
    scores = swept({(ADAM, value): [(None, None)] * 5 for value in VALUES})
    assert np.isnan(priced(scores, 0.1).measured.mean)
    assert priced(scores, 0.1).finding == UNDECIDED


def test_what_diverged_counts_as_the_worst_that_is_possible():
    pairs = {
        (ADAM, 0.1): [(0.9, 0.9), (None, None), (0.9, 0.9)],
        (ADAM, 0.2): [(0.91, 0.91)] * 3,
        (ADAM, 0.4): [(0.5, 0.5)] * 3,
    }
    scores = swept(pairs)
    assert scores.readings(ADAM, ACCURACY).tolist() == [[0.9, 0.0, 0.9], [0.91] * 3, [0.5] * 3]
    assert scores.scores(ADAM, 0.1, ERROR)[1] == 0.91  # of those that are there; there is no bound
    assert priced(scores, 0.1).measured.mean == pytest.approx(-0.31)


def test_an_arm_is_ahead_by_the_mean_over_the_values_that_are_named():
    ours, theirs = {0.1: [0.9, 0.8], 0.2: [0.7, 0.7], 0.4: [0.0, 0.0]}, {
        0.1: [0.8, 0.8], 0.2: [0.6, 0.5], 0.4: [1.0, 1.0],
    }  # fmt: skip
    pairs = {
        (arm, value): [(score, score) for score in scores]
        for arm, by_value in ((RADAM, ours), (ADAM, theirs))
        for value, scores in by_value.items()
    }
    both = swept(pairs, sweep(arms=(RADAM, ADAM), studies=2))
    measured = ahead(both, RADAM, ADAM, (0.1, 0.2), ACCURACY)
    assert measured.mean == pytest.approx((0.1 + 0.1) / 2)  # of studies: (0.1 + 0.1)/2, (0 + 0.2)/2
    assert ahead(both, RADAM, ADAM, (0.4,), ACCURACY).mean == -1  # the control


@pytest.mark.parametrize(
    ("others", "word"),
    [
        ([[0.9, 0.901, 0.899, 0.9]] * 2, SUPPORTED),
        ([[0.9, 0.901, 0.899, 0.9], [0.92, 0.921, 0.92, 0.92]], REFUTED),
        ([[0.9, 0.901, 0.899, 0.9], [0.92, 0.88, 0.91, 0.89]], UNDECIDED),
        ([[0.9, 0.901, 0.899, 0.9], [0.904, 0.908, 0.902, 0.909]], UNDECIDED),
    ],
)
def test_an_advised_value_is_supported_where_it_is_surely_not_worse_than_any_by_the_margin(
    others, word
):
    rows = dict(zip(("b", "c"), others, strict=True))
    assert priced(swept(alike(a=[0.9] * 4, **rows)), 0.1).finding == word
