import numpy as np
import pytest
from scipy import stats

from optbench.evaluation.contrast import compare, epochs_to_target
from optbench.evaluation.metrics import Metrics
from optbench.params.schema import Contrast

CONTRAST = Contrast(first="kfac", second="sgd", schedule="cosine")


def run(optimizer: str, seed: int, epochs: int | None, schedule: str = "cosine") -> Metrics:
    return Metrics(
        optimizer=optimizer, schedule=schedule, seed=seed, test_accuracy=0.9,
        test_accuracy_low=0.8, test_accuracy_high=0.95, test_loss=0.1, calibration_error=0.1,
        epochs_to_target=epochs, diverged_at_step=None,
    )  # fmt: skip


def runs(optimizer: str, epochs: list[int | None]) -> list[Metrics]:
    return [run(optimizer, seed, value) for seed, value in enumerate(epochs)]


KFAC, SGD = [1, 1, 2, 1, 2], [2, 3, 2, 2, 4]


def welch(a: list[int], b: list[int]) -> tuple[float, float]:
    """The 95 % interval by the textbook's formulas."""
    va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    df = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = stats.t.ppf(0.975, df) * np.sqrt(va + vb)
    difference = np.mean(a) - np.mean(b)
    return difference - half, difference + half


def test_the_interval_is_welchs():
    found = compare([*runs("kfac", KFAC), *runs("sgd", SGD)], CONTRAST, budget=10)
    assert (found.low, found.high) == pytest.approx(welch(KFAC, SGD), rel=1e-12)
    assert (found.first_mean, found.second_mean) == (np.mean(KFAC), np.mean(SGD))
    assert (found.first_n, found.second_n, found.missed) == (5, 5, 0)
    pooled = stats.ttest_ind(KFAC, SGD, equal_var=True).confidence_interval(0.95)
    assert found.low != pytest.approx(pooled.low, rel=1e-3)  # the control


def test_a_miss_counts_as_the_whole_budget_and_is_counted():
    cells = [*runs("kfac", [1, None, 2]), *runs("sgd", [2, 3, 4])]
    found = compare(cells, CONTRAST, budget=10)
    assert found.first_mean == pytest.approx((1 + 10 + 2) / 3)
    assert found.missed == 1


def test_other_schedules_and_optimizers_do_not_count():
    cells = [*runs("kfac", KFAC), *runs("sgd", SGD), run("sgd", 9, 10, "step"), *runs("adam", [9])]
    assert epochs_to_target(cells, "sgd", "cosine", budget=10) == SGD


def test_without_runs_or_without_spread_nothing_is_claimed():
    assert compare(runs("sgd", SGD), CONTRAST, budget=10) is None
    for epochs in ([2], [2, 2, 2]):
        found = compare([*runs("kfac", epochs), *runs("sgd", epochs)], CONTRAST, budget=10)
        assert (found.low, found.high, found.p) == (None, None, None)
