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
    judge_ahead,
    judge_price,
    paired,
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


def test_the_price_of_the_best_value_is_nothing_and_of_another_what_it_is_behind():
    scores = swept(alike(a=[0.8, 0.81, 0.83, 0.8], b=[0.9, 0.93, 0.92, 0.91], c=[0.7] * 4))
    best = price(scores, ADAM, 0.2, ACCURACY)
    assert (best.mean, best.low, best.high, best.p) == (0.0, 0.0, 0.0, None)
    assert bests(scores, ACCURACY) == {ADAM: 0.2}
    measured = price(scores, ADAM, 0.1, ACCURACY)
    differences = np.subtract([0.8, 0.81, 0.83, 0.8], [0.9, 0.93, 0.92, 0.91])
    oracle = stats.ttest_1samp(differences, 0)
    interval = oracle.confidence_interval(0.95)
    assert measured.mean == pytest.approx(differences.mean())
    assert (measured.low, measured.high) == pytest.approx((interval.low, interval.high))
    assert measured.p == pytest.approx(oracle.pvalue)
    one_sided = stats.ttest_1samp(differences, 0, alternative="greater").confidence_interval(0.95)
    assert measured.floor == pytest.approx(one_sided.low)


def test_where_all_values_are_alike_the_price_is_nothing_on_average():
    """Choosing and reading on the same studies would make the advised value look dear."""
    rng, prices, naive = np.random.default_rng(0), [], []
    for _ in range(300):
        drawn = rng.normal(0.9, 0.01, (3, 6))
        scores = swept(
            {
                (ADAM, v): [(x, x) for x in row]
                for v, row in zip(VALUES, drawn.tolist(), strict=True)
            }
        )
        prices.append(price(scores, ADAM, 0.1, ACCURACY).mean)
        naive.append(drawn[0].mean() - drawn.mean(axis=1).max())
    error = np.std(prices) / 300**0.5
    assert abs(np.mean(prices)) < 3 * error
    assert np.mean(naive) < -5 * error  # the control


def test_of_an_error_the_lower_is_the_better():
    scores = swept(alike(a=[0.8, 0.81, 0.83, 0.8], b=[0.9, 0.93, 0.92, 0.91], c=[1.0] * 4))
    assert bests(scores, ERROR) == {ADAM: 0.1}
    assert price(scores, ADAM, 0.2, ERROR).mean == pytest.approx(-0.105)
    assert price(scores, ADAM, 0.1, ERROR).mean == 0


def test_what_diverged_counts_as_the_worst_that_is_possible():
    pairs = {
        (ADAM, 0.1): [(0.9, 0.9), (None, None), (0.9, 0.9)],
        (ADAM, 0.2): [(0.91, 0.91)] * 3,
        (ADAM, 0.4): [(0.5, 0.5)] * 3,
    }
    scores = swept(pairs)
    assert scores.readings(ADAM, ACCURACY).tolist() == [[0.9, 0.0, 0.9], [0.91] * 3, [0.5] * 3]
    assert scores.scores(ADAM, 0.1, ERROR)[1] == 0.91  # of those that are there; there is no bound
    assert price(scores, ADAM, 0.1, ACCURACY).mean == pytest.approx(-0.31)


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
    ("differences", "word"),
    [
        ([0.0] * 4, SUPPORTED),
        ([-0.001, -0.002, -0.001, 0.001], SUPPORTED),
        ([-0.02, -0.021, -0.019, -0.02], REFUTED),
        ([-0.02, 0.02, -0.01, 0.01], UNDECIDED),
        ([-0.004, -0.008, -0.002, -0.009], UNDECIDED),
    ],
)
def test_an_advised_value_is_supported_where_it_is_surely_not_worse_by_the_margin(
    differences, word
):
    assert judge_price(paired(np.array(differences)), margin=0.005) == word


def test_a_bad_value_is_passed_and_a_good_one_refused_once_in_twenty():
    """Where the true price is the margin: *supported* in 5 %, *refuted* in 2.5 % of cases."""
    rng = np.random.default_rng(1)
    drawn = rng.normal(-0.005, 0.004, (4000, 10))
    words = [judge_price(paired(row), margin=0.005) for row in drawn]
    assert words.count(SUPPORTED) / 4000 == pytest.approx(0.05, abs=0.011)
    assert words.count(REFUTED) / 4000 == pytest.approx(0.025, abs=0.008)


def test_contrasts_are_corrected_for_how_many_there_are():
    measured = paired(np.array([0.03, 0.01, 0.02, 0.03, -0.002]))
    assert 0.025 < measured.p < 0.05
    assert judge_ahead(measured, of=1) == SUPPORTED
    assert judge_ahead(measured, of=2) == UNDECIDED
    assert judge_ahead(paired(-np.array([0.03, 0.01, 0.02, 0.03, 0.02])), of=2) == REFUTED
    assert judge_ahead(paired(np.zeros(4)), of=1) == UNDECIDED
