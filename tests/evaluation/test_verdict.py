"""The decision rules: by hand, by simulation of their error rates, and by what must always hold."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from optbench.evaluation import verdict
from optbench.evaluation.verdict import (
    HIGHER,
    INCONCLUSIVE,
    LOWER,
    REFUTED,
    REPRODUCED,
    SUPPORTED,
    UNDECIDED,
    Spread,
    advantage,
    holm,
    judge_all,
    judge_equivalence,
    judge_measured,
    judge_ordering,
    judge_ratio,
    judge_value,
    pooled_spread,
    share_ahead,
)

# From a table of Student's t.
T90_16, T95_16 = 1.745884, 2.119905
MARGIN = 0.005


def value(mean: float, *, k0: int = 1, sd: float = 0.0016, df: int = 16) -> verdict.ValueResult:
    """Five runs with this mean against 95.1 %."""
    return judge_value([mean] * 5, claimed=0.951, margin=MARGIN, k0=k0, spread=Spread(sd=sd, df=df))


def at_most(count: int, runs: int, rate: float = 0.05) -> bool:
    """Whether a count of errors is what a true rate of at most `rate` may give (3 sigma)."""
    return count / runs <= rate + 3 * math.sqrt(rate * (1 - rate) / runs)


def test_the_spread_is_pooled_by_degrees_of_freedom():
    # Sums of squares 2 and 8 with 2 and 1 degrees of freedom; a single run says nothing.
    spread = pooled_spread([[1, 2, 3], [0, 4], [100]])
    assert spread == Spread(sd=pytest.approx(math.sqrt(10 / 3)), df=3)
    assert pooled_spread([[1], [2]]) is None


def test_reproduced_by_hand():
    result = value(0.952)
    error = 0.0016 * math.sqrt(1 / 5 + 1)
    assert result.verdict == REPRODUCED
    assert result.difference == pytest.approx(0.001)
    assert result.low == pytest.approx(0.001 - T90_16 * error, abs=1e-8)
    assert result.high == pytest.approx(0.001 + T90_16 * error, abs=1e-8)
    assert result.p == pytest.approx(stats.t.sf(0.004 / error, 16))
    assert result.test == "two one-sided t tests"
    assert result.decisive_n is None


def test_not_reproduced_by_hand():
    # 2.1199 x 0.0016 x sqrt(1.2) = 0.003716 is what chance may give.
    assert value(0.951 + 0.0060).verdict == HIGHER
    assert value(0.951 - 0.0060).verdict == LOWER
    assert value(0.951 + 0.0060).p == pytest.approx(
        2 * stats.t.sf(0.006 / (0.0016 * math.sqrt(1.2)), 16)
    )
    wide = {"sd": 0.0030}  # 90 % needs 0.00574 > 0.005; 95 % allows 0.006967
    assert value(0.951 + 0.00696, **wide).verdict == INCONCLUSIVE
    assert value(0.951 + 0.00697, **wide).verdict == HIGHER


def test_equivalence_comes_first():
    """A real difference that is smaller than the margin reproduces the claim."""
    result = value(0.953, k0=1000, sd=0.0005)
    assert T95_16 * 0.0005 * math.sqrt(1 / 5 + 1 / 1000) < 0.002
    assert result.verdict == REPRODUCED


def test_the_smallest_number_that_decides_does_and_one_less_does_not():
    result = value(0.951 + 0.0015, sd=0.0019)
    assert result.verdict == INCONCLUSIVE
    n = int(result.decisive_n)
    assert n > 5

    def at(runs: int) -> str:
        error = 0.0019 * math.sqrt(1 / runs + 1)
        return verdict.decide(0.0015, error=error, df=16 + runs - 5, margin=MARGIN)

    assert at(n) == REPRODUCED
    assert at(n - 1) == INCONCLUSIVE


def test_no_number_decides_what_the_claims_own_run_hides():
    assert value(0.952, sd=0.0040).decisive_n == math.inf
    assert value(0.952, sd=0.0040, k0=5).decisive_n < math.inf  # the control


def test_without_a_spread_there_is_no_verdict():
    alone = judge_value([0.95], claimed=0.9, margin=0.1, k0=1, spread=None)
    assert (alone.verdict, alone.low, alone.p) == (INCONCLUSIVE, None, None)
    assert alone.difference == pytest.approx(0.05)


def test_one_run_is_judged_by_the_spread_of_other_arms():
    result = judge_value([0.951], claimed=0.951, margin=0.005, k0=1, spread=Spread(sd=1e-3, df=8))
    assert result.verdict == REPRODUCED


def test_no_spread_at_all_is_certainty():
    assert value(0.954, sd=0.0).verdict == REPRODUCED
    assert value(0.957, sd=0.0).verdict == HIGHER


SIMULATIONS = 3000


def simulate(difference: float, *, k0_assumed: int, seed: int, sd: float = 0.15) -> list[str]:
    """Verdicts on a claim from one run; accuracies in pp, four arms of five seeds, margin 0.5."""
    rng = np.random.default_rng(seed)
    verdicts = []
    for _ in range(SIMULATIONS):
        arms = rng.normal(0, sd, (4, 5))
        claimed = rng.normal(0, sd) + difference
        spread = Spread(sd=float(np.sqrt(arms.var(axis=1, ddof=1).mean())), df=16)
        result = judge_value(
            arms[0].tolist(), claimed=claimed, margin=0.5, k0=k0_assumed, spread=spread
        )
        verdicts.append(result.verdict)
    return verdicts


def test_reproduced_is_wrong_at_most_once_in_twenty():
    """At a true difference of exactly the margin, either way; the test is not idle."""
    for seed, difference in enumerate((0.5, -0.5)):
        wrong = simulate(difference, k0_assumed=1, seed=seed).count(REPRODUCED)
        assert at_most(wrong, SIMULATIONS)
        assert wrong / SIMULATIONS > 0.03


def test_not_reproduced_is_wrong_at_most_once_in_twenty():
    """At equality, where the interval is too wide for any equivalence."""
    verdicts = simulate(0.0, k0_assumed=1, seed=2, sd=1.0)
    wrong = verdicts.count(HIGHER) + verdicts.count(LOWER)
    assert at_most(wrong, SIMULATIONS)
    assert wrong / SIMULATIONS > 0.03


def test_control_without_the_noise_of_the_claims_own_run_both_rules_fail():
    equal = simulate(0.0, k0_assumed=10**9, seed=3, sd=1.0)
    assert not at_most(equal.count(HIGHER) + equal.count(LOWER), SIMULATIONS, rate=0.3)
    assert not at_most(simulate(0.5, k0_assumed=10**9, seed=4).count(REPRODUCED), SIMULATIONS)


@pytest.mark.parametrize(("times", "rate"), [(1.0, 0.05), (1.5, 1 / 6), (2.0, 0.27)])
def test_what_a_noisier_arm_costs(times, rate):
    """The documented limit of pooling: 12 arms of five, the judged one and its claim noisier."""
    rng = np.random.default_rng(8)
    runs, df = 200_000, 48
    sds = np.array([times] + [1.0] * 11)
    variance = (sds**2 * rng.chisquare(4, (runs, 12))).sum(axis=1) / df
    difference = times * math.sqrt(1 / 5 + 1) * rng.standard_normal(runs)
    error = np.sqrt(variance * (1 / 5 + 1))
    wrong = np.abs(difference) > stats.t.ppf(0.975, df) * error
    assert wrong.mean() == pytest.approx(rate, abs=0.005)


finite = st.floats(-0.05, 0.05)
sds = st.floats(1e-5, 0.02)


@given(finite, sds, st.integers(1, 60), st.integers(1, 5))
def test_the_verdict_does_not_depend_on_the_sign(difference, sd, df, k0):
    spread = Spread(sd=sd, df=df)
    up, down = (
        judge_value([0.5 + sign * difference], claimed=0.5, margin=0.005, k0=k0, spread=spread)
        for sign in (1, -1)
    )
    swap = {HIGHER: LOWER, LOWER: HIGHER}
    assert swap.get(up.verdict, up.verdict) == down.verdict


@given(finite, sds, st.integers(1, 60), st.integers(1, 5), st.integers(1, 20))
def test_a_wider_margin_never_loses_a_reproduction(difference, sd, df, k0, n):
    spread = Spread(sd=sd, df=df)
    narrow, wide = (
        judge_value([0.5 + difference] * n, claimed=0.5, margin=m, k0=k0, spread=spread).verdict
        for m in (0.004, 0.008)
    )
    assert narrow != REPRODUCED or wide == REPRODUCED


@given(finite, sds, st.integers(1, 60), st.integers(1, 5), st.integers(1, 20))
@settings(deadline=None)
def test_a_decisive_number_is_given_only_where_it_is_needed(difference, sd, df, k0, n):
    result = judge_value(
        [0.5 + difference] * n, claimed=0.5, margin=0.005, k0=k0, spread=Spread(sd=sd, df=df)
    )
    assert (result.decisive_n is None) == (result.verdict != INCONCLUSIVE)
    assert result.decisive_n is None or result.decisive_n > n


A, B = [0.95, 0.97, 0.96, 0.96, 0.96], [0.90, 0.94, 0.92, 0.92, 0.92]


def test_an_advantage_by_hand():
    # Means 0.96 and 0.92; variances 5e-5 and 2e-4; SE^2 = 2.5e-4 / 5; Welch's df = 100 / 17.
    result = advantage(A, B)
    error, df = math.sqrt(5e-5), 100 / 17
    half = stats.t.ppf(0.975, df) * error
    assert result.difference == pytest.approx(0.04)
    assert (result.low, result.high) == pytest.approx((0.04 - half, 0.04 + half))
    assert result.p == pytest.approx(2 * stats.t.sf(0.04 / error, df))
    assert (result.first_n, result.second_n, result.ahead) == (5, 5, 1.0)


def test_of_fewer_than_five_studies_a_side_no_test_is_made():
    for first, second in ((A[:4], B), (A, B[:4])):
        result = advantage(first, second)
        assert result.p is None
        assert result.low < result.difference < result.high
        assert judge_ordering(result.difference, margin=result.margin, p=result.p) == UNDECIDED
    assert (
        judge_ordering(advantage(A, B).difference, p=advantage(A, B).p) == SUPPORTED
    )  # the control


def test_the_share_ahead_is_that_of_all_pairs_and_mann_and_whitneys():
    assert share_ahead([3, 1], [2, 1]) == (1 + 1 + 0 + 0.5) / 4
    assert share_ahead([1], [2, 3]) == 0
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 6), rng.normal(0.5, 1, 9)
    u = stats.mannwhitneyu(first, second).statistic
    assert share_ahead(first.tolist(), second.tolist()) == pytest.approx(u / (6 * 9))


def test_an_equivalence_is_that_of_two_one_sided_tests():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.9, 0.003, 8).tolist(), rng.normal(0.9, 0.005, 6).tolist()
    for margin in (0.001, 0.003, 0.005, 0.01, 0.02):
        below, above = (
            stats.ttest_ind(first, [x + shift for x in second], equal_var=False, alternative=side)
            for shift, side in ((margin, "less"), (-margin, "greater"))
        )
        result = judge_equivalence(first, second, margin=margin)
        assert (result.verdict == SUPPORTED) == (max(below.pvalue, above.pvalue) <= 0.05)
    wide = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.90)
    assert (result.low, result.high) == pytest.approx((wide.low, wide.high))


def test_arms_that_differ_are_not_equivalent_and_few_or_equal_ones_undecided():
    assert judge_equivalence(A, B, margin=0.005).verdict == REFUTED
    assert judge_equivalence(A, B, margin=0.04).verdict == UNDECIDED
    assert judge_equivalence(A[:4], B, margin=0.1).verdict == UNDECIDED
    assert judge_equivalence([0.9] * 5, [0.9] * 5, margin=0.1).verdict == UNDECIDED


@pytest.mark.parametrize(("n", "margin"), [((5, 5), 0.0), ((5, 17), 0.01), ((10, 6), -0.02)])
def test_an_advantage_is_scipys_welch_test(n, margin):
    rng = np.random.default_rng(sum(n))
    first, second = (rng.normal(0.9, sd, k).tolist() for sd, k in zip((0.01, 0.03), n, strict=True))
    result = advantage(first, second, margin=margin)
    test = stats.ttest_ind([value - margin for value in first], second, equal_var=False)
    interval = test.confidence_interval(0.95)
    assert result.p == pytest.approx(test.pvalue, rel=1e-9)
    low, high = interval.low + margin, interval.high + margin
    assert (result.low, result.high) == pytest.approx((low, high), rel=1e-9)
    # The control: one variance for both.
    student = stats.ttest_ind([value - margin for value in first], second).pvalue
    assert n[0] == n[1] or result.p != pytest.approx(student, rel=1e-3)


def test_an_arm_without_spread_is_judged_by_the_other():
    result = advantage([0.9, 0.9, 0.9], [0.8, 0.81, 0.82])
    half = 4.302653 * 0.01 / math.sqrt(3)  # t(0.975, 2): the second's alone
    assert (result.low, result.high) == pytest.approx((0.09 - half, 0.09 + half), abs=1e-7)


def test_a_margin_moves_the_test_and_not_the_interval():
    plain, demanding = advantage(A, B), advantage(A, B, margin=0.04)
    assert (demanding.low, demanding.high) == pytest.approx((plain.low, plain.high))
    assert demanding.p == pytest.approx(1.0)


HIGH, LOW = np.linspace(0.95, 0.951, 5), np.linspace(0.94, 0.941, 5)


def test_orderings_are_supported_refuted_or_undecided():
    better = advantage(HIGH.tolist(), LOW.tolist())
    assert judge_ordering(better.difference, margin=better.margin, p=better.p) == SUPPORTED
    worse = advantage(LOW.tolist(), HIGH.tolist())
    assert judge_ordering(worse.difference, margin=worse.margin, p=worse.p) == REFUTED
    assert judge_ordering(better.difference, margin=better.margin, p=math.nan) == UNDECIDED
    assert (
        judge_ordering(better.difference, margin=better.margin, p=0.051) == UNDECIDED
    )  # what Holm may leave of it
    assert judge_ordering(advantage(A, A).difference, p=advantage(A, A).p) == UNDECIDED


def test_runs_without_spread_or_alone_decide_nothing():
    for first, second in (([0.9], B), ([0.9, 0.9], [0.8, 0.8])):
        result = advantage(first, second)
        assert (result.low, result.high, result.p) == (None, None, None)
        assert judge_ordering(result.difference, margin=result.margin, p=result.p) == UNDECIDED
    assert advantage([], B) is None


def test_several_orderings_are_a_claim_that_needs_all():
    assert judge_all([SUPPORTED, SUPPORTED]) == SUPPORTED
    assert judge_all([SUPPORTED, UNDECIDED]) == UNDECIDED
    assert judge_all([SUPPORTED, UNDECIDED, REFUTED]) == REFUTED
    assert judge_all([]) == UNDECIDED


def test_an_ordering_of_equals_is_decided_at_most_once_in_twenty():
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(SIMULATIONS // 2):
        first, second = rng.normal(0, 1, 5), rng.normal(0, 2, 5)
        result = advantage(first.tolist(), second.tolist())
        wrong += judge_ordering(result.difference, margin=result.margin, p=result.p) != UNDECIDED
    assert at_most(wrong, SIMULATIONS // 2)
    assert wrong / (SIMULATIONS // 2) > 0.02


@given(st.lists(st.integers(9000, 9999), min_size=4, max_size=14))
def test_an_ordering_turned_around_has_the_opposite_advantage(correct):
    scores = [count / 10_000 for count in correct]
    first, second = scores[::2], scores[1::2]
    forth, back = advantage(first, second), advantage(second, first)
    assert forth.difference == pytest.approx(-back.difference, abs=1e-12)
    assert forth.ahead == pytest.approx(1 - back.ahead)
    assert forth.p == (back.p if back.p is None else pytest.approx(back.p, abs=1e-9))


def test_holm_by_hand():
    # 0.01 x 4; 0.02 x 3; 0.03 x 2, not below the one before; 0.5 x 1.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lies_between_no_correction_and_bonferronis_and_keeps_the_order(p_values):
    corrected = holm(p_values)
    for p, corrected_p in zip(p_values, corrected, strict=True):
        assert p <= corrected_p <= min(1.0, len(p_values) * p) + 1e-12
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[i] for i in order] == sorted(corrected)


def test_holm_keeps_the_family_wise_error_and_the_control_without_it_does_not():
    rng = np.random.default_rng(6)
    runs, contrasts = 3000, 6
    # Contrasts that share an arm, as those against SGD do.
    arms = rng.normal(0, 1, (runs, contrasts + 1, 5))
    p = stats.ttest_ind(arms[:, 1:], arms[:, :1], axis=2, equal_var=False).pvalue
    corrected = np.array([holm(row.tolist()) for row in p])
    assert at_most(int((corrected <= 0.05).any(axis=1).sum()), runs)
    assert not at_most(int((p <= 0.05).any(axis=1).sum()), runs, rate=0.1)


def test_a_ratio_by_hand():
    # Standard error of the median 1.25 x 0.08 / (1.35 sqrt(25)) = 0.014815.
    result = judge_ratio(1.08, q1=1.04, q3=1.12, pairs=25, claimed=1.1, margin=0.05)
    assert (result.low, result.high) == pytest.approx(
        (1.08 - 1.644854 * 0.0148148, 1.08 + 1.644854 * 0.0148148), abs=1e-6
    )
    assert result.verdict == REPRODUCED
    near = judge_ratio(1.07, q1=1.03, q3=1.11, pairs=25, claimed=1.1, margin=0.05)
    assert near.verdict == INCONCLUSIVE
    far = {"pairs": 25, "claimed": 1.1, "margin": 0.05}
    assert judge_ratio(1.00, q1=0.96, q3=1.04, **far).verdict == LOWER
    assert judge_ratio(1.20, q1=1.16, q3=1.24, **far).verdict == HIGHER


def test_the_medians_standard_error_is_that_of_normal_data():
    rng = np.random.default_rng(7)
    medians, errors = [], []
    for _ in range(2000):
        q1, median, q3 = statistics.quantiles(rng.normal(1.1, 0.05, 30).tolist(), n=4)
        result = judge_ratio(median, q1=q1, q3=q3, pairs=30, claimed=1.1, margin=0.05)
        medians.append(median)
        errors.append((result.high - result.low) / (2 * 1.644854))
    assert np.mean(errors) == pytest.approx(np.std(medians), rel=0.1)


def test_a_single_measurement_is_in_the_margin_or_not():
    assert judge_measured(2.6, claimed=2.5, margin=0.25) == REPRODUCED
    assert judge_measured(3.0, claimed=2.5, margin=0.25) == HIGHER
    assert judge_measured(1.0, claimed=2.5, margin=0.25) == LOWER
