"""What image classification measures: accuracy, one network's interval, and its calibration."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from optbench.core.score import Score

SCORE = Score(
    name="accuracy",
    unit="%",
    difference_unit="pp",
    higher_is_better=True,
    low=0.0,
    high=1.0,
    factor=100.0,
)
LIKELIHOOD = "categorical"
CALIBRATION_BINS = 15  # as Guo et al. 2017

Columns = Mapping[str, Sequence[Any]]  # actual and predicted class, confidence: [n] each


def recount(columns: Columns) -> float:
    """The accuracy of at least one prediction, a fraction."""
    correct = np.asarray(columns["actual"]) == np.asarray(columns["predicted"])
    return float(correct.mean())


def interval(columns: Columns, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of one network's accuracy (Wilson 1927)."""
    z, n, p = NormalDist().inv_cdf((1 + confidence) / 2), len(columns["actual"]), recount(columns)
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return center - half, center + half


INTERVAL = "binomial"  # what `interval` gives, in a word


def extras(columns: Columns) -> dict[str, float]:
    """Further statistics of a run."""
    return {"calibration_error": calibration_error(columns)}


def calibration_error(columns: Columns) -> float:
    """Expected calibration error over equal bins (Guo et al. 2017, arXiv 1706.04599, eq. 3).

    The mean over examples of |accuracy - confidence| of the bin that each falls into.
    """
    confidence = np.asarray(columns["confidence"])
    correct = np.asarray(columns["actual"]) == np.asarray(columns["predicted"])
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence))
