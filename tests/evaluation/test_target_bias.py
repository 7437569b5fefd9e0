"""How far the time to a target is from the true one, by simulation of a history's noise.

The true curve rises exponentially from 50 % to a limit; a history sees it at 20 points, each on n
held-out examples drawn anew. docs/statistics.md has the figures of `BIAS` and `FALSE`.
"""

import math
import re

import numpy as np
import pytest
from tests.conftest import ROOT
from tests.evaluation.examples import ACCURACY, history

from optbench.evaluation.metrics import reached_at

POINTS, RUNS = 20, 50_000
RATE, RISE, LIMIT = 5.0, 0.48, 0.98  # of the curve: per budget; in accuracy


def drawn(target: float, n: int, limit: float = LIMIT) -> tuple[np.ndarray, np.ndarray]:
    """The accuracies of histories, [runs, points], and when each truly reaches the target, [runs].

    In points. Each history begins elsewhere between two points, so that none is favoured.
    """
    rng = np.random.default_rng(0)
    shift = rng.uniform(size=(RUNS, 1))
    steps = np.arange(1, POINTS + 1) - shift
    curve = limit - RISE * np.exp(-RATE * steps / POINTS)
    true = math.inf
    if target < limit:
        true = POINTS * math.log(RISE / (limit - target)) / RATE
    return rng.binomial(n, curve, (RUNS, POINTS)) / n, true + shift[:, 0]


def times(accuracies: np.ndarray, target: float, *, in_a_row: int) -> np.ndarray:
    """The point at which each history reaches the target, [runs]; a miss is infinite."""
    reaches = accuracies >= target
    if in_a_row == 2:
        reaches = reaches[:, :-1] & reaches[:, 1:]
    return np.where(reaches.any(axis=1), reaches.argmax(axis=1) + 1.0, math.inf)


def bias(target: float, n: int, *, in_a_row: int) -> float:
    """The mean of measured less true times, in points; a miss counts as the whole budget."""
    accuracies, true = drawn(target, n)
    measured = np.minimum(times(accuracies, target, in_a_row=in_a_row), POINTS)
    return float((measured - true).mean())


# What a point brings at the target, in percentage points; n; bias of two in a row; of one point.
BIAS = [
    (2.00, 30, 0.0, -1.3),
    (2.00, 100, 0.5, -0.2),
    (2.00, 2500, 0.5, 0.5),
    (0.75, 30, 0.1, -2.4),
    (0.75, 100, 0.2, -1.3),
    (0.75, 2500, 0.5, 0.4),
    (0.25, 30, 0.6, -3.7),
    (0.25, 100, -1.2, -3.6),
    (0.25, 2500, 0.7, 0.1),
]
# How far a target lies above all that is ever reached, in percentage points; n; the share of runs
# that count as having reached it, by two in a row; by one point.
FALSE = [
    (1.0, 30, 0.63, 0.99),
    (1.0, 100, 0.45, 0.95),
    (1.0, 2500, 0.00, 0.00),
    (2.0, 30, 0.48, 0.97),
    (2.0, 100, 0.21, 0.83),
    (2.0, 2500, 0.00, 0.00),
]


def target_at(rise: float) -> float:
    """The accuracy at which a point brings so many percentage points."""
    return LIMIT - rise / 100 * POINTS / RATE


@pytest.mark.parametrize(("rise", "n", "two_in_a_row", "one_point"), BIAS)
def test_the_documented_bias(rise, n, two_in_a_row, one_point):
    target = target_at(rise)
    assert bias(target, n, in_a_row=2) == pytest.approx(two_in_a_row, abs=0.05)
    assert bias(target, n, in_a_row=1) == pytest.approx(one_point, abs=0.05)


@pytest.mark.parametrize(("gap", "n", "two_in_a_row", "one_point"), FALSE)
def test_the_documented_share_of_targets_that_are_never_reached(gap, n, two_in_a_row, one_point):
    accuracies, true = drawn(0.95, n, limit=0.95 - gap / 100)
    assert np.isinf(true).all()
    for count, share in ((2, two_in_a_row), (1, one_point)):
        measured = np.isfinite(times(accuracies, 0.95, in_a_row=count)).mean()
        assert measured == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("rise", [2.0, 0.75, 0.25])
def test_without_noise_both_rules_are_half_a_point_late(rise):
    for count in (1, 2):
        assert bias(target_at(rise), 10**9, in_a_row=count) == pytest.approx(0.5, abs=0.01)


def test_what_is_simulated_is_the_rule():
    accuracies, _ = drawn(0.95, 100)
    measured = times(accuracies[:300], 0.95, in_a_row=2)
    for scores, time in zip(accuracies[:300], measured, strict=True):
        points = history(*scores.tolist(), per_epoch=1)
        at = reached_at(points, target=0.95, score=ACCURACY)
        assert at == (time if math.isfinite(time) else None)
    other = times(accuracies[:300], 0.95, in_a_row=1)
    assert (other != measured).mean() > 0.3  # the control: the rules differ here


def test_the_documents_tables_are_those_that_are_tested():
    row = re.compile(r"^\| ([\d.]+) pp \| ([\d,]+) \| (-?[\d.]+) \| (-?[\d.]+) \|$", re.MULTILINE)
    rows = [
        (float(a), int(n.replace(",", "")), float(two), float(single))
        for a, n, two, single in row.findall((ROOT / "docs/statistics.md").read_text())
    ]
    assert rows == BIAS + FALSE
