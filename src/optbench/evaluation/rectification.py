"""RAdam's rectification, as its paper and as the post print it.

rho_t is the length of the simple moving average that stands for the exponential one after t steps
(Liu et al. 2020, arXiv 1908.03265, eq. 4). The post's formula divides too much by 1 - beta2^t.
"""

from collections.abc import Callable
from dataclasses import dataclass

RECTIFIED_ABOVE = 4  # rho_t, in the paper; torch: 5


def rho_infinity(beta2: float) -> float:
    """The length that rho_t tends to."""
    return 2 / (1 - beta2) - 1


def rho(t: int, beta2: float) -> float:
    """rho_t as in the paper."""
    return rho_infinity(beta2) - 2 * t * beta2**t / (1 - beta2**t)


def printed_rho(t: int, beta2: float) -> float:
    """rho_t as the post prints it."""
    return (rho_infinity(beta2) - 2 * t * beta2**t) / (1 - beta2**t) - 1


def rectification(length: float, beta2: float) -> float | None:
    """The factor r_t of the adaptive step; None where rho_t is too short, and no such step is."""
    if length <= RECTIFIED_ABOVE:
        return None
    limit = rho_infinity(beta2)
    above = (length - 4) * (length - 2) * limit
    return float((above / ((limit - 4) * (limit - 2) * length)) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Both formulas at one step."""

    step: int
    rho: float
    factor: float | None
    printed_rho: float
    printed_factor: float | None


def compare(beta2: float, steps: tuple[int, ...] = (1, 5, 6, 100, 10_000)) -> list[Comparison]:
    """Both formulas side by side."""
    return [
        Comparison(
            step=t,
            rho=rho(t, beta2),
            factor=rectification(rho(t, beta2), beta2),
            printed_rho=printed_rho(t, beta2),
            printed_factor=rectification(printed_rho(t, beta2), beta2),
        )
        for t in steps
    ]


def first_rectified_step(formula: Callable[[int, float], float], beta2: float) -> int:
    """The first step whose rho_t is long enough."""
    t = 1
    while formula(t, beta2) <= RECTIFIED_ABOVE:
        t += 1
    return t
