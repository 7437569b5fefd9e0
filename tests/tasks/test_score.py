"""Accuracy, its interval and its calibration, against SciPy and sums written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from optbench.core.registry import load_score
from optbench.core.score import Score
from optbench.tasks.image_classification import score

CLASSES = st.integers(0, 4)
ROWS = st.lists(
    st.tuples(CLASSES, CLASSES, st.integers(0, 10_000).map(lambda n: n / 10_000)), min_size=1,
    max_size=60,
)  # fmt: skip


def columns(rows) -> dict[str, list]:
    return dict(zip(("actual", "predicted", "confidence"), map(list, zip(*rows, strict=True)),
                    strict=True))  # fmt: skip


def of_correct(correct: int, n: int) -> dict[str, list]:
    """n predictions of which the first are right."""
    return {"actual": [0] * n, "predicted": [0] * correct + [1] * (n - correct)}


def test_the_score_is_a_fraction_that_people_read_in_per_cent():
    assert isinstance(score.SCORE, Score)
    assert load_score("image_classification") is score
    assert score.SCORE.with_unit(0.97) == "97.00 %"
    assert score.SCORE.difference(0.001) == "+0.10 pp"


@given(ROWS)
def test_recounting_is_a_mean_over_examples(rows):
    right = [actual == predicted for actual, predicted, _ in rows]
    assert score.recount(columns(rows)) == pytest.approx(sum(right) / len(right), abs=1e-15)


def test_recounting_of_all_none_and_half():
    assert [score.recount(of_correct(k, 4)) for k in (0, 2, 4)] == [0.0, 0.5, 1.0]
    assert type(score.recount(of_correct(1, 3))) is float


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(
    ("correct", "n"), [(0, 1), (1, 1), (0, 50), (7, 50), (50, 50), (9_493, 10_000), (355, 360)]
)
def test_the_interval_is_wilsons(correct, n, confidence):
    expected = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    low, high = score.interval(of_correct(correct, n), confidence)
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)
    other = binomtest(correct, n).proportion_ci(confidence, method="exact")
    assert (low, high) != pytest.approx((other.low, other.high), rel=1e-9)  # the control


def test_what_kind_of_interval_it_is_stands_in_a_word():
    assert score.INTERVAL == "binomial"


def error_by_hand(rows) -> float:
    """Guo et al. 2017, equations 2 and 3, a bin at a time."""
    total = 0.0
    for b in range(15):
        inside = [(a == p, c) for a, p, c in rows if b == min(math.floor(c * 15), 14)]
        if inside:
            accuracy = np.mean([right for right, _ in inside])
            confidence = np.mean([c for _, c in inside])
            total += len(inside) / len(rows) * abs(accuracy - confidence)
    return total


@given(ROWS)
def test_the_calibration_error_is_the_papers(rows):
    assert score.calibration_error(columns(rows)) == pytest.approx(error_by_hand(rows), abs=1e-12)


def test_the_calibration_error_of_what_is_known_and_of_what_is_boasted():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, size=200_000)
    right = rng.uniform(size=len(confidence)) < confidence
    honest = {"actual": right, "predicted": np.ones_like(right), "confidence": confidence}
    assert score.calibration_error(honest) < 0.005
    boasting = {**honest, "confidence": np.sqrt(confidence)}
    expected = (np.sqrt(confidence) - confidence).mean()
    assert score.calibration_error(boasting) == pytest.approx(expected, abs=0.005)


def test_what_else_is_told_has_names():
    rows = [(1, 1, 0.9), (0, 1, 0.6)]
    assert score.extras(columns(rows)) == {
        "calibration_error": pytest.approx((0.1 + 0.6) / 2, abs=1e-12)
    }
