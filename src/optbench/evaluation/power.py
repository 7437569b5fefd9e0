"""How likely the rule for claimed values finds an equal value reproduced, before anything is run.

Our mean of k runs less the claim's mean of k0 is normal with sd s sqrt(1/k + 1/k0); the pooled sd
is independent of it, s chi(df)/sqrt(df). The rule is `verdict.decide`.
"""

import math

from scipy import integrate, stats

from optbench.evaluation.verdict import LEVEL, standard_error

NEGLIGIBLE = 1e-12  # the chance, at each end, of a pooled sd that is left out
PRECISION = 1e-9  # absolute, of the integral


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
