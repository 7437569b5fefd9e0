"""What runs say of a claim: the decision rules, apart from where numbers come from.

Quantiles are SciPy's; the rules are ours, and simulation tests them. Equivalence is by two
one-sided tests (Schuirmann 1987), orderings by Welch's t (Welch 1947).
"""

import math
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from optbench.evaluation.metrics import CONFIDENCE

REPRODUCED = "reproduced"
HIGHER = "not reproduced (higher)"
LOWER = "not reproduced (lower)"
SUPPORTED = "supported"
REFUTED = "refuted"
UNDECIDED = "undecided"
INCONCLUSIVE = "inconclusive"
ERRATUM = "erratum"
NOT_RUN = "not run"
NO_MEASURE = "no measure"  # of what is claimed, so that no run can decide it

LEVEL = 1 - CONFIDENCE  # of every test
FEWEST_STUDIES = 5  # a side, of which an ordering is called


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The standard deviation over studies, pooled over arms, and its degrees of freedom."""

    sd: float
    df: int


def pooled_spread(arms: Iterable[Sequence[float]]) -> Spread | None:
    """The spread within arms of one true variance; None where no arm has two runs."""
    several = [arm for arm in arms if len(arm) > 1]
    df = sum(len(arm) - 1 for arm in several)
    if not df:
        return None
    squares = sum(statistics.variance(arm) * (len(arm) - 1) for arm in several)
    return Spread(sd=math.sqrt(squares / df), df=df)


@dataclass(frozen=True, kw_only=True)
class ValueResult:
    """A mean against a claimed value."""

    verdict: str
    n: int
    difference: float  # our mean less the claimed value
    low: float | None = None  # 90 % interval of the difference, which the equivalence test reads
    high: float | None = None
    test: str | None = None
    p: float | None = None  # of the test that decided; where none did, of the t test
    decisive_n: float | None = None  # of an inconclusive one, see `decisive_n`


def judge_value(
    values: Sequence[float], *, claimed: float, margin: float, k0: int, spread: Spread | None
) -> ValueResult:
    """Whether a mean over runs reproduces a claimed value, itself a mean of `k0` runs.

    Reproduced: the 90 % interval of the difference lies within +/- `margin`. Else not reproduced:
    the difference is significant at 5 %. Else inconclusive. The claim's runs are taken to have
    the spread of ours.
    """
    n = len(values)
    difference = statistics.fmean(values) - claimed
    if spread is None:
        return ValueResult(verdict=INCONCLUSIVE, n=n, difference=difference)
    error = standard_error(spread.sd, n, k0)
    verdict = decide(difference, error=error, df=spread.df, margin=margin)
    half = quantile(1 - LEVEL, spread.df) * error
    reproduced = verdict == REPRODUCED
    p = (
        tail(margin - abs(difference), error, spread.df)
        if reproduced
        else min(1.0, 2 * tail(abs(difference), error, spread.df))
    )
    return ValueResult(
        verdict=verdict,
        n=n,
        difference=difference,
        low=difference - half,
        high=difference + half,
        test="two one-sided t tests" if reproduced else "t test",
        p=p,
        decisive_n=decisive_n(difference, n=n, margin=margin, k0=k0, spread=spread)
        if verdict == INCONCLUSIVE
        else None,
    )


def standard_error(sd: float, n: float, k0: float) -> float:
    """Of the difference between a mean of `n` runs and a claimed mean of `k0`."""
    return sd * math.sqrt(1 / n + 1 / k0)


def decide(difference: float, *, error: float, df: float, margin: float) -> str:
    """The verdict on a difference from a claimed value; `df` may be infinite."""
    if abs(difference) + quantile(1 - LEVEL, df) * error <= margin:
        return REPRODUCED
    if abs(difference) > quantile(1 - LEVEL / 2, df) * error:
        return HIGHER if difference > 0 else LOWER
    return INCONCLUSIVE


def decisive_n(difference: float, *, n: int, margin: float, k0: int, spread: Spread) -> float:
    """The smallest number of this arm's runs that decides a difference of this size.

    Other arms are taken to stay as they are. Infinite where even endless runs leave the noise of
    the claim's own.
    """

    def decides(runs: float) -> bool:
        error, df = standard_error(spread.sd, runs, k0), spread.df + runs - n
        return decide(difference, error=error, df=df, margin=margin) != INCONCLUSIVE

    if not decides(math.inf):
        return math.inf
    high = n
    while not decides(high):
        high *= 2
    return bisect_left(range(high), True, lo=max(n, high // 2), key=decides)


@dataclass(frozen=True, kw_only=True)
class Advantage:
    """By how much first beats second; positive is as claimed."""

    difference: float
    low: float | None  # 95 %, Welch's; None where a spread is unknown
    high: float | None
    p: float | None  # two-sided, of a difference equal to the margin; None below five studies
    margin: float
    first_n: int
    second_n: int
    ahead: float  # the share of pairs of studies in which first is better; a tie is half


def advantage(
    first: Sequence[float], second: Sequence[float], *, margin: float = 0.0
) -> Advantage | None:
    """The advantage of first over second, from a value for each study; None without any.

    More of a value is better. Of fewer than five studies a side no test is made.
    """
    if not first or not second:
        return None
    difference = statistics.fmean(first) - statistics.fmean(second)
    low = high = p = None
    if (spread := welch(_variance_of_mean(first), _variance_of_mean(second))) is not None:
        error, df = spread
        half = quantile(1 - LEVEL / 2, df) * error
        low, high = difference - half, difference + half
        if min(len(first), len(second)) >= FEWEST_STUDIES:
            p = min(1.0, 2 * tail(abs(difference - margin), error, df))
    return Advantage(
        difference=difference,
        low=low,
        high=high,
        p=p,
        margin=margin,
        first_n=len(first),
        second_n=len(second),
        ahead=share_ahead(first, second),
    )


def share_ahead(first: Sequence[float], second: Sequence[float]) -> float:
    """The share of pairs in which first is larger, of two samples; a tie counts as half.

    Mann and Whitney's U over the number of pairs (1947): the chance that a study of the first is
    better than one of the second.
    """
    ours, theirs = np.asarray(first)[:, None], np.asarray(second)[None, :]
    return float(((ours > theirs) + 0.5 * (ours == theirs)).mean())


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A difference of means or a median ratio, and the verdict that its intervals give."""

    verdict: str
    value: float | None = None
    low: float | None = None  # 90 %
    high: float | None = None


def judge_equivalence(
    first: Sequence[float], second: Sequence[float], *, margin: float
) -> Estimate:
    """Whether two means differ by less than a margin, by two one-sided tests at 5 % each.

    Supported: the 90 % interval of the difference lies within the margin (Schuirmann 1987).
    Refuted: the 95 % one lies outside of it. Undecided else, and below five studies a side.
    """
    are_few = min(len(first), len(second)) < FEWEST_STUDIES
    spread = None if are_few else welch(_variance_of_mean(first), _variance_of_mean(second))
    if spread is None:
        return Estimate(verdict=UNDECIDED)
    error, df = spread
    difference = statistics.fmean(first) - statistics.fmean(second)
    half, wide = (quantile(1 - level, df) * error for level in (LEVEL, LEVEL / 2))
    word = UNDECIDED
    if abs(difference) + half <= margin:
        word = SUPPORTED
    elif abs(difference) - wide > margin:
        word = REFUTED
    return Estimate(verdict=word, value=difference, low=difference - half, high=difference + half)


def welch(*means: tuple[float, int]) -> tuple[float, float] | None:
    """The standard error of a difference of two means, and its degrees of freedom (Welch 1947).

    `means`: the variance of each, and the degrees of freedom of that. None where one has none, or
    neither varies. SciPy's test gives the same, but warns of lost precision where one of the two
    does not vary.
    """
    square = sum(variance for variance, _ in means)
    if not square or not all(df for _, df in means):
        return None
    return math.sqrt(square), 1 / sum((variance / square) ** 2 / df for variance, df in means)


def _variance_of_mean(values: Sequence[float]) -> tuple[float, int]:
    """The variance of a mean, and its degrees of freedom."""
    df = len(values) - 1
    return (statistics.variance(values) / len(values) if df else 0.0), df


def judge_ordering(difference: float, *, margin: float = 0.0, p: float | None) -> str:
    """The verdict on "first beats second by at least the margin"; `p` is the corrected one."""
    if p is None or not p <= LEVEL:  # so that NaN decides nothing
        return UNDECIDED
    return SUPPORTED if difference > margin else REFUTED


def judge_all(verdicts: Sequence[str]) -> str:
    """The verdict on a claim that needs every one of several orderings."""
    if REFUTED in verdicts:
        return REFUTED
    if verdicts and all(verdict == SUPPORTED for verdict in verdicts):
        return SUPPORTED
    return UNDECIDED


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for the size of their family (Holm 1979)."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def judge_ratio(
    ratio: float, *, q1: float, q3: float, pairs: int, claimed: float, margin: float
) -> Estimate:
    """Whether a median over pairs, with its quartiles, is the claimed ratio within a margin.

    The median's standard error is 1.25 (q3 - q1) / (1.35 sqrt(pairs)) (McGill, Tukey and Larsen
    1978). Reproduced: the 90 % interval lies within the margin. Not reproduced: the 95 % interval
    lies outside of it.
    """
    error = 1.25 * (q3 - q1) / (1.35 * math.sqrt(pairs))
    inner, outer = (quantile(q, math.inf) * error for q in (1 - LEVEL, 1 - LEVEL / 2))
    verdict = INCONCLUSIVE
    if abs(ratio - claimed) + inner <= margin:
        verdict = REPRODUCED
    elif abs(ratio - claimed) - outer > margin:
        verdict = HIGHER if ratio > claimed else LOWER
    return Estimate(verdict=verdict, value=ratio, low=ratio - inner, high=ratio + inner)


def judge_measured(measured: float, *, claimed: float, margin: float) -> str:
    """The verdict on a single measurement without a spread."""
    if abs(measured - claimed) <= margin:
        return REPRODUCED
    return HIGHER if measured > claimed else LOWER


def tail(distance: float, error: float, df: float) -> float:
    """The chance of Student's t beyond distance / error."""
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / error, df))


def quantile(probability: float, df: float) -> float:
    """Student's t quantile; the normal one where `df` is infinite."""
    return float(stats.t.ppf(probability, df))
