"""How often the rules for orderings and ratios are wrong, each beside a rule that must fail."""

import math
import statistics

import numpy as np
from scipy import stats

from optbench.evaluation.verdict import (
    LEVEL,
    REPRODUCED,
    UNDECIDED,
    advantage,
    judge_measured,
    judge_ordering,
    judge_ratio,
)


def at_most(wrong: int, of: int, rate: float) -> bool:
    """Whether a true rate of `rate` gives this many, within three standard errors."""
    return wrong / of <= rate + 3 * math.sqrt(rate * (1 - rate) / of)


def test_an_ordering_of_equals_and_the_control_of_one_spread_for_both():
    """Few noisy runs against many quiet ones: a t test with a common spread takes it for more."""
    rng = np.random.default_rng(11)
    ledgers, wrong, control = 1500, 0, 0
    for _ in range(ledgers):
        first, second = rng.normal(0, 3, 5), rng.normal(0, 1, 15)
        result = advantage(first.tolist(), second.tolist())
        wrong += judge_ordering(result.difference, p=result.p) != UNDECIDED
        control += stats.ttest_ind(first, second).pvalue <= LEVEL
    assert at_most(wrong, ledgers, 0.06)  # Welch's approximation is not exact at five studies
    assert not at_most(control, ledgers, 0.1)


def test_a_ratio_at_its_margin_and_the_control_without_an_interval():
    """A true ratio off by the margin: neither verdict more often than its level."""
    rng = np.random.default_rng(12)
    ledgers, pairs = 1500, 30
    reproduced = refuted = control = 0
    for _ in range(ledgers):
        q1, ratio, q3 = statistics.quantiles(rng.normal(1.15, 0.05, pairs).tolist(), n=4)
        result = judge_ratio(ratio, q1=q1, q3=q3, pairs=pairs, claimed=1.1, margin=0.05)
        reproduced += result.verdict == REPRODUCED
        refuted += result.verdict.startswith("not reproduced")
        control += judge_measured(ratio, claimed=1.1, margin=0.05) == REPRODUCED
    assert at_most(reproduced, ledgers, 0.05)
    assert at_most(refuted, ledgers, 0.025)
    assert not at_most(control, ledgers, 0.1)
