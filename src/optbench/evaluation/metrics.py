"""What one run achieved, computed from what it left behind."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from optbench.core.records import Outcome, Predictions

CONFIDENCE = 0.95
CALIBRATION_BINS = 15  # as Guo et al. 2017


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """A run's scores; accuracies are fractions, None where the run diverged."""

    optimizer: str
    schedule: str
    seed: int
    test_accuracy: float | None
    test_accuracy_low: float | None  # Wilson's 95 % interval: one network, this many test images
    test_accuracy_high: float | None
    test_loss: float | None
    calibration_error: float | None
    epochs_to_target: int | None  # first epoch at the held-out target; None: missed or diverged
    diverged_at_step: int | None

    @property
    def name(self) -> str:
        """Optimizer, schedule and seed in words."""
        return f"{self.optimizer} / {self.schedule} / seed {self.seed}"


def score(
    outcome: Outcome, *, optimizer: str, schedule: str, seed: int, target_accuracy: float
) -> Metrics:
    """The metrics of a run's outcome."""
    predictions = outcome.predictions
    count = len(predictions.actual)
    correct = sum(a == p for a, p in zip(predictions.actual, predictions.predicted, strict=True))
    low, high = wilson_interval(correct, count) if count else (None, None)
    return Metrics(
        optimizer=optimizer,
        schedule=schedule,
        seed=seed,
        test_accuracy=correct / count if count else None,
        test_accuracy_low=low,
        test_accuracy_high=high,
        test_loss=outcome.test_loss,
        calibration_error=calibration_error(predictions) if count else None,
        epochs_to_target=next(
            (e.epoch for e in outcome.history if e.heldout_accuracy >= target_accuracy), None
        )
        if outcome.diverged_at_step is None
        else None,
        diverged_at_step=outcome.diverged_at_step,
    )


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """Wilson's score interval for a proportion (Wilson 1927)."""
    interval = stats.binomtest(correct, count).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def calibration_error(predictions: Predictions) -> float:
    """Expected calibration error over equal bins (Guo et al. 2017, arXiv 1706.04599, eq. 3).

    The mean over examples of |accuracy - confidence| of the bin that each falls into.
    """
    confidence = np.asarray(predictions.confidence)
    correct = np.asarray(predictions.actual) == np.asarray(predictions.predicted)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence))
