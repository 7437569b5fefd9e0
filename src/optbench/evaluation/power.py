"""What the rules of `verdict` can detect, before anything is run.

A claimed value (`decide`): our mean of k runs less the claim's mean of k0 is normal with sd
s sqrt(1/k + 1/k0); the pooled sd is independent of it, s chi(df)/sqrt(df).

An ordering (`welch`; Welch 1947), of two arms of k runs each: the sum of their variances has
2 (k - 1) degrees of freedom; independent of it is the share u of the first, Beta((k - 1)/2,
(k - 1)/2), by which Welch takes Student's t with (k - 1) / (u^2 + (1 - u)^2) degrees of freedom.
"""

import math
from functools import cache

import numpy as np
from scipy import integrate, optimize, stats

from optbench.evaluation.verdict import LEVEL, standard_error

NEGLIGIBLE = 1e-12  # the chance, at each end, of a pooled sd that is left out
PRECISION = 1e-9  # absolute, of the integral
NODES = 200  # a dimension, of Gauss and Legendre's rule


def probability_reproduced(*, k: float, s: float, margin: float, k0: float, arms: int) -> float:
    """P(reproduced | equal) with `arms` arms of `k` runs each, to within 1e-9.

    By integration over the pooled sd, with df = arms (k - 1); an infinite `k` knows s exactly.

    Raises:
        ValueError: no arm has two runs, so there is no spread to judge by.
    """
    if k <= 1:
        raise ValueError(f"k must be over 1, got {k}: one run an arm has no spread")
    if math.isinf(k):
        return probability_at(s, k=k, s=s, margin=margin, k0=k0, df=k)
    df = arms * (k - 1)

    def integrand(ratio: float) -> float:
        density = math.sqrt(df) * float(stats.chi.pdf(ratio * math.sqrt(df), df))
        return density * probability_at(ratio * s, k=k, s=s, margin=margin, k0=k0, df=df)

    low, high = (float(stats.chi.ppf(q, df)) / math.sqrt(df) for q in (NEGLIGIBLE, 1 - NEGLIGIBLE))
    # Above this sd the interval is wider than the margin, whatever the mean.
    widest = margin / (float(stats.t.ppf(1 - LEVEL, df)) * standard_error(s, k, k0))
    if widest <= low:
        return 0.0
    return float(integrate.quad(integrand, low, min(widest, high), epsabs=PRECISION)[0])


def probability_at(
    measured: float, *, k: float, s: float, margin: float, k0: float, df: float
) -> float:
    """P(reproduced | equal) where the pooled sd comes out as `measured`."""
    half = float(stats.t.ppf(1 - LEVEL, df)) * standard_error(measured, k, k0)
    room = (margin - half) / standard_error(s, k, k0)
    return max(0.0, 2 * float(stats.norm.cdf(room)) - 1)


def probability_detected(difference: float, *, k: int, s: float, level: float = LEVEL) -> float:
    """P(Welch's two-sided p is at most `level`) where the true means differ by `difference`.

    Two arms of `k` runs each, of the true sd `s`, in the unit of `difference`.

    Raises:
        ValueError: an arm has no two runs, so there is no spread to judge by.
    """
    if k < 2:
        raise ValueError(f"k must be over 1, got {k}: one run an arm has no spread")
    limits, weights = _limits(k, level)
    distance = difference / (s * math.sqrt(2 / k))
    detected = stats.norm.sf(limits - distance) + stats.norm.cdf(-limits - distance)
    return float(weights @ detected @ weights)


@cache
def _limits(k: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The difference, in true standard errors, from which Welch's test detects it.

    For each sum of variances and share of the first, [nodes, nodes]; and the weights, [nodes].
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    quantiles, df = (nodes + 1) / 2, 2 * (k - 1)
    measured = np.sqrt(stats.chi2.ppf(quantiles, df) / df)
    share = stats.beta.ppf(quantiles, (k - 1) / 2, (k - 1) / 2)
    quantile = stats.t.ppf(1 - level / 2, (k - 1) / (share**2 + (1 - share) ** 2))
    return np.outer(measured, quantile), weights / 2


def detectable_difference(*, k: int, s: float, level: float = LEVEL, chance: float = 0.8) -> float:
    """The true difference of two arms that is detected with a probability of `chance`.

    In the unit of `s`, to within 1e-4 of it; arguments as for `probability_detected`.

    Raises:
        ValueError: an arm has no two runs, so there is no spread to judge by.
    """

    def lack(difference: float) -> float:
        return probability_detected(difference, k=k, s=1.0, level=level) - chance

    high = 1.0
    while lack(high) < 0:
        high *= 2
    return s * float(optimize.brentq(lack, 0.0, high, xtol=1e-4))
