"""The post's printed rho_t is wrong, against the definition that the paper starts from."""

import numpy as np
import pytest

from optbench.evaluation import rectification

BETA2 = 0.999


def length_by_definition(t: int, beta: float) -> float:
    """The simple moving average whose mean age is that of the exponential one.

    Ages run from 1; a simple moving average of length f has the mean age (f + 1) / 2.
    """
    age = np.arange(1, t + 1, dtype=np.float64)
    weights = beta ** (age - 1)
    return 2 * float((weights * age).sum() / weights.sum()) - 1


@pytest.mark.parametrize("t", [1, 2, 5, 6, 100, 10_000])
@pytest.mark.parametrize("beta", [0.9, BETA2])
def test_the_papers_rho_is_the_length_of_the_moving_average(t, beta):
    assert rectification.rho(t, beta) == pytest.approx(length_by_definition(t, beta), rel=1e-9)


@pytest.mark.parametrize("t", [1, 2, 5, 6, 100, 1000])
def test_the_printed_rho_is_not(t):
    assert rectification.printed_rho(t, BETA2) / length_by_definition(t, BETA2) > 2


def test_both_tend_to_the_same_limit():
    assert rectification.rho_infinity(BETA2) == pytest.approx(1999)
    for formula in (rectification.rho, rectification.printed_rho):
        assert formula(100_000, BETA2) == pytest.approx(1999, abs=1.01)


def test_the_numbers_that_the_report_prints():
    first = rectification.compare(BETA2)[0]
    assert first.step == 1
    assert first.rho == pytest.approx(1)
    assert first.factor is None
    assert first.printed_rho == pytest.approx(1_997_001)
    assert first.printed_factor == pytest.approx(31.65, abs=0.005)  # sqrt(rho_1 / rho_inf)


def test_the_printed_formula_has_no_phase_without_adaptive_steps():
    assert rectification.first_rectified_step(rectification.rho, BETA2) == 5
    assert rectification.first_rectified_step(rectification.printed_rho, BETA2) == 1
