import dataclasses
import math

import numpy as np
import pytest

from optbench.core.records import Epoch, Outcome, Predictions
from optbench.evaluation.metrics import calibration_error, score, wilson_interval


def epoch(number: int, accuracy: float) -> Epoch:
    return Epoch(
        epoch=number, step=number, train_loss=1.0, heldout_loss=1.0, heldout_accuracy=accuracy,
        lr=0.1, momentum=None, gradient_norm=1.0,
    )  # fmt: skip


OUTCOME = Outcome(
    diagnostics=[],
    history=[epoch(1, 0.5), epoch(2, 0.9), epoch(3, 0.8)],
    predictions=Predictions(
        actual=[0, 1, 2, 3], predicted=[0, 1, 2, 0], confidence=[1, 1, 0.9, 0.5]
    ),
    test_loss=0.3,
    test_accuracy=0.75,
    diverged_at_step=None,
    steps=3,
    fingerprint={},
)
NAMES = {"optimizer": "sgd", "schedule": "step", "seed": 0}


def test_wilson_interval_by_its_formula():
    p, n, z = 0.951, 10_000, 1.959963984540054
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson_interval(9510, n) == pytest.approx((centre - half, centre + half), rel=1e-9)
    # The binomial standard error that everyone should know: +/- 0.42 pp at 95 % of 10,000.
    assert half == pytest.approx(0.0042, abs=1e-4)


def test_accuracy_and_epochs_to_target():
    metrics = score(OUTCOME, **NAMES, target_accuracy=0.85)
    assert metrics.test_accuracy == 0.75
    assert metrics.epochs_to_target == 2
    assert score(OUTCOME, **NAMES, target_accuracy=0.95).epochs_to_target is None


def test_calibration_error_by_hand():
    # Bins: (1, 1, right, right) gap 0; (0.9, right) gap 0.1; (0.5, wrong) gap 0.5.
    assert calibration_error(OUTCOME.predictions) == pytest.approx((0.1 + 0.5) / 4)


def test_calibration_error_of_a_calibrated_model_is_small_and_of_an_overconfident_one_is_not():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, 100_000)
    right = rng.uniform(size=100_000) < confidence
    actual = np.zeros(100_000, int)
    calibrated = Predictions(actual=actual, predicted=~right, confidence=confidence)
    assert calibration_error(calibrated) < 0.01
    overconfident = Predictions(
        actual=actual, predicted=~right, confidence=np.minimum(confidence + 0.3, 1)
    )
    assert calibration_error(overconfident) > 0.1


def test_a_diverged_run_has_no_scores():
    diverged = Outcome(
        diagnostics=[],
        history=[], predictions=Predictions(actual=[], predicted=[], confidence=[]),
        test_loss=None, test_accuracy=None, diverged_at_step=3, steps=3, fingerprint={},
    )  # fmt: skip
    metrics = score(diverged, **NAMES, target_accuracy=0.5)
    assert metrics.test_accuracy is None
    assert metrics.diverged_at_step == 3


def test_a_run_that_diverges_after_the_target_has_not_reached_it():
    assert score(OUTCOME, **NAMES, target_accuracy=0.5).epochs_to_target == 1  # the control
    diverged = dataclasses.replace(OUTCOME, diverged_at_step=12)
    assert score(diverged, **NAMES, target_accuracy=0.5).epochs_to_target is None
