"""The chance to reproduce an equal value: against simulation, limits, and the documented table."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from optbench.evaluation.power import (
    detectable_difference,
    probability_at,
    probability_detected,
    probability_reproduced,
)

DOCS = Path(__file__).parents[2] / "docs/statistics.md"
SPREADS = (0.157, 0.20, 0.25, 0.30)  # pp


def simulated(*, k: int, s: float, margin: float, k0: int, arms: int, runs: int) -> float:
    """The rule applied to drawn accuracies, written out once more."""
    rng = np.random.default_rng(0)
    accuracies = rng.normal(0, s, (runs, arms, k))
    claimed = rng.normal(0, s, (runs, k0)).mean(axis=1)
    sd = np.sqrt(accuracies.var(axis=2, ddof=1).mean(axis=1))
    half = stats.t.ppf(0.95, arms * (k - 1)) * sd * math.sqrt(1 / k + 1 / k0)
    difference = np.abs(accuracies[:, 0].mean(axis=1) - claimed)
    return float((difference + half <= margin).mean())


@pytest.mark.parametrize(
    ("k", "s", "k0", "arms"), [(5, 0.157, 1, 4), (5, 0.25, 1, 2), (3, 0.2, 3, 1), (10, 0.3, 1, 4)]
)
def test_the_integral_is_what_simulation_gives(k, s, k0, arms):
    runs = 40_000
    case = {"k": k, "s": s, "margin": 0.5, "k0": k0, "arms": arms}
    exact = probability_reproduced(**case)
    error = math.sqrt(exact * (1 - exact) / runs)
    assert simulated(**case, runs=runs) == pytest.approx(exact, abs=4 * error)
    # The control: a claim without noise of its own.
    assert abs(simulated(**{**case, "k0": 1000}, runs=runs) - exact) > 10 * error


def test_single_run_claims_at_five_seeds():
    """All 12 arms of four optimizers and three schedules."""
    chances = [probability_reproduced(k=5, s=s, margin=0.5, k0=1, arms=12) for s in SPREADS]
    assert chances == pytest.approx([0.778, 0.455, 0.137, 0.014], abs=5e-4)


def test_endless_seeds_leave_the_noise_of_the_claim():
    chances = [probability_reproduced(k=math.inf, s=s, margin=0.5, k0=1, arms=12) for s in SPREADS]
    # 2 Phi(margin / s - 1.6449) - 1
    by_hand = [2 * stats.norm.cdf(0.5 / s - 1.644854) - 1 for s in SPREADS]
    assert chances == pytest.approx(by_hand, abs=1e-6)
    assert chances == pytest.approx([0.876, 0.608, 0.278, 0.017], abs=5e-4)


def test_where_the_measured_spread_is_the_true_one():
    """Without averaging over the measured sd, at about 56 degrees of freedom."""
    for k, known in ((5, [0.78, 0.46, 0.12, 0.0]), (math.inf, [0.87, 0.59, 0.26, 0.0])):
        chances = [probability_at(s, k=k, s=s, margin=0.5, k0=1, df=56) for s in SPREADS]
        assert [round(p, 2) for p in chances] == known


def test_more_of_anything_good_helps():
    base = {"k": 5, "s": 0.2, "margin": 0.5, "k0": 1, "arms": 4}
    for better in ({"k": 10}, {"s": 0.15}, {"margin": 0.6}, {"k0": 3}, {"arms": 12}):
        assert probability_reproduced(**{**base, **better}) > probability_reproduced(**base)


def test_many_seeds_come_to_the_limit():
    case = {"s": 0.2, "margin": 0.5, "k0": 1, "arms": 4}
    assert probability_reproduced(k=100_000, **case) == pytest.approx(
        probability_reproduced(k=math.inf, **case), abs=1e-4
    )


def test_one_run_an_arm_is_refused():
    with pytest.raises(ValueError, match="k must be over 1, got 1"):
        probability_reproduced(k=1, s=0.2, margin=0.5, k0=1, arms=12)
    with pytest.raises(ValueError, match="k must be over 1, got 1"):
        probability_detected(0.1, k=1, s=0.2)


def documented() -> list[tuple[float, float, float, list[float]]]:
    """Margin, k0, k and the probabilities of each row of the table in docs/statistics.md."""
    row = re.compile(r"^\| ([\d.]+) \| (\d+) \| (\d+|endless) \|((?: [\d.]+ \|)+)$", re.MULTILINE)
    return [
        (
            float(margin), int(k0), math.inf if k == "endless" else int(k),
            [float(cell) for cell in cells.split("|") if cell.strip()],
        )
        for margin, k0, k, cells in row.findall(DOCS.read_text(encoding="utf-8"))
    ]  # fmt: skip


def test_the_documented_table_is_what_is_computed():
    rows = documented()
    assert len(rows) == 18
    for margin, k0, k, cells in rows:
        chances = [probability_reproduced(k=k, s=s, margin=margin, k0=k0, arms=12) for s in SPREADS]
        assert cells == [round(p, 2) for p in chances], (margin, k0, k)


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize("contrasts", [1, 12])
def test_a_detectable_difference_is_found_four_times_in_five(k, contrasts):
    rng, runs, level = np.random.default_rng(k), 40_000, 0.05 / contrasts
    difference = detectable_difference(k=k, s=0.2, level=level)
    first, second = rng.normal(0, 0.2, (2, runs, k))

    def detected(true: float) -> float:
        p = stats.ttest_ind(first + true, second, axis=1, equal_var=False).pvalue
        return float((p <= level).mean())

    error = math.sqrt(0.8 * 0.2 / runs)
    assert detected(difference) == pytest.approx(0.8, abs=4 * error)
    # The control: the normal quantiles that a rule of thumb takes, at a known spread.
    rule = 0.2 * math.sqrt(2 / k) * (stats.norm.ppf(1 - level / 2) + stats.norm.ppf(0.8))
    assert detected(rule) < 0.8 - 10 * error


def test_no_difference_is_found_at_most_at_the_level():
    rng, runs = np.random.default_rng(3), 40_000
    p = stats.ttest_ind(*rng.normal(0, 1, (2, runs, 3)), axis=1, equal_var=False).pvalue
    exact = probability_detected(0.0, k=3, s=1.0)
    assert (p <= 0.05).mean() == pytest.approx(exact, abs=4 * math.sqrt(exact / runs))
    assert exact < 0.05  # Welch's test is careful where runs are few


def test_the_documented_differences_are_what_is_computed():
    row = re.compile(r"^\| (\d+) \| (\d+) \|((?: [\d.]+ \|){4})$", re.MULTILINE)
    rows = row.findall(DOCS.read_text(encoding="utf-8"))
    assert len(rows) == 6
    for k, contrasts, cells in rows:
        differences = [
            f"{detectable_difference(k=int(k), s=s, level=0.05 / int(contrasts)):.2f}"
            for s in SPREADS
        ]
        assert cells.strip(" |").split(" | ") == differences, (k, contrasts)
