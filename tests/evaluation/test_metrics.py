import json
import math
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.examples import (
    ACCURACY,
    ERROR,
    SGD,
    TASK,
    diverged,
    history,
    outcome,
    planned,
)

from optbench.core import registry
from optbench.evaluation.metrics import CONFIDENCE, metrics_of, reached_at


def test_wilson_interval_by_its_formula():
    p, n, z = 0.951, 10_000, 1.959963984540054
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    columns = {"actual": [0] * n, "predicted": [0] * 9510 + [1] * 490}
    interval = TASK.interval(columns, CONFIDENCE)
    assert interval == pytest.approx((centre - half, centre + half), rel=1e-9)
    # The binomial standard error that everyone should know: +/- 0.42 pp at 95 % of 10,000.
    assert half == pytest.approx(0.0042, abs=1e-4)


def test_score_and_epochs_to_target():
    run = metrics_of(outcome(), target=0.85)
    assert run.test_score == 0.75
    assert (run.test_score_low, run.test_score_high) == TASK.interval(
        outcome().predictions, CONFIDENCE
    )
    assert run.epochs_to_target == 1.0  # the second point of two an epoch
    assert metrics_of(outcome(), target=0.95).epochs_to_target is None


def test_names_are_the_runs():
    run = metrics_of(outcome(planned(seed=3)), target=0.5)
    assert (run.arm, run.study, run.name) == (SGD, None, "sgd / cosine / seed 3")
    arm = replace(SGD, tuning="untuned")
    study = metrics_of(outcome(planned(seed=3)), target=0.5, arm=arm, study=2)
    assert (study.arm, study.seed, study.name) == (arm, 3, "sgd / cosine, untuned / study 2")


def test_a_target_counts_when_two_points_in_a_row_reach_it():
    def at(*scores: float) -> float | None:
        return reached_at(history(*scores), target=0.9, score=ACCURACY)

    assert at(0.5, 0.91, 0.8, 0.9, 0.92) == 2.0  # one point alone is passed over
    assert at(0.5, 0.91, 0.92) == 1.0  # a fraction of epochs where points are closer than these
    assert at(0.91, 0.9) == 0.5
    assert at(0.5, 0.8, 0.95) is None  # the last alone
    assert at(0.91, 0.8, 0.95, 0.8) is None
    assert at() is None
    assert at(0.95) is None


def test_a_lower_score_reaches_a_target_from_above():
    points = history(0.4, 0.2, 0.05, 0.04)
    assert reached_at(points, target=0.1, score=ERROR) == 1.5
    assert reached_at(points, target=0.01, score=ERROR) is None
    # The control: taken the wrong way round, it is there from the start.
    assert reached_at(points, target=0.1, score=replace(ERROR, higher_is_better=True)) == 0.5


def test_calibration_error_by_hand():
    # Bins: (1, 1, right, right) gap 0; (0.9, right) gap 0.1; (0.5, wrong) gap 0.5.
    assert TASK.calibration_error(outcome().predictions) == pytest.approx((0.1 + 0.5) / 4)
    extras = json.loads(metrics_of(outcome(), target=0.5).extras)
    assert extras == {"calibration_error": TASK.calibration_error(outcome().predictions)}


def test_calibration_error_of_a_calibrated_model_is_small_and_of_an_overconfident_one_is_not():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, 100_000)
    right = rng.uniform(size=100_000) < confidence
    classes = {"actual": np.zeros(100_000, int), "predicted": ~right}
    assert TASK.calibration_error({**classes, "confidence": confidence}) < 0.01
    overconfident = np.minimum(confidence + 0.3, 1)
    assert TASK.calibration_error({**classes, "confidence": overconfident}) > 0.1


def test_a_diverged_run_has_no_scores():
    run = metrics_of(diverged(), target=0.5)
    assert (run.test_score, run.test_score_low, run.extras) == (None, None, "{}")
    assert run.diverged_at_step == 12


def test_a_run_that_diverges_after_the_target_has_not_reached_it():
    assert metrics_of(outcome(), target=0.5).epochs_to_target == 0.5  # the control
    late = replace(diverged(), history=outcome().history)
    assert metrics_of(late, target=0.5).epochs_to_target is None


def test_a_task_that_knows_no_interval_and_no_extras_has_none(monkeypatch):
    class Task:
        SCORE = ERROR

        @staticmethod
        def recount(columns: dict) -> float:
            return float(np.mean(np.square(columns["residual"])))

    monkeypatch.setattr(registry, "load_score", lambda task: Task)
    points, columns = history(0.4, 0.2, 0.05, 0.04), {"residual": [0.1, -0.3]}
    run = metrics_of(outcome(history=points, predictions=columns, test_score=0.05), target=0.1)
    assert run.test_score == pytest.approx(0.05)
    assert (run.test_score_low, run.test_score_high, run.extras) == (None, None, "{}")
    assert run.epochs_to_target == 1.5
