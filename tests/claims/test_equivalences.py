"""Claims that two arms are as good: by two one-sided tests, from five studies a side on."""

import math
from dataclasses import replace

import pytest
from scipy import stats
from tests.claims.examples import (
    BASELINE,
    CLAIMS,
    OFFSETS,
    POST,
    SD,
    SMALL,
    evidence,
    ledger,
    study,
    verdicts,
)
from tests.evaluation.examples import ERROR

from optbench.claims.evidence import Evidence
from optbench.claims.judgement import Judgement
from optbench.claims.schema import EquivalenceClaim
from optbench.core.arm import Arm
from optbench.core.prose import Mention
from optbench.evaluation import verdict
from optbench.report.ledger import of_verdicts

CLAIM = "known-warmup-cnn"  # its margin is 0.005
ADAM, RADAM = (Arm(name, "warmup_cosine") for name in ("adam", "radam"))


def studies_of(first: float, second: float, *, n: int = 5, factor: float = 1.0) -> Evidence:
    """Studies of both arms around their means; `factor`: of their spread."""
    studies = [
        study(arm, number, mean + factor * offset)
        for arm, mean in ((ADAM, first), (RADAM, second))
        for number, offset in enumerate(OFFSETS[:n])
    ]
    return evidence(workload=SMALL, studies=studies)


def judged(first: float, second: float, **changes: float) -> Judgement:
    return ledger(studies_of(first, second, **changes))[CLAIM]


def test_by_hand():
    """The standard error is that of Welch: equal spreads, eight degrees of freedom."""
    judgement = judged(0.970, 0.971)
    half = stats.t.ppf(0.95, 8) * SD * math.sqrt(2 / 5)
    assert judgement.verdict == verdict.SUPPORTED
    assert judgement.estimate == pytest.approx(-0.001)
    assert (judgement.low, judgement.high) == pytest.approx((-0.001 - half, -0.001 + half))
    assert (judgement.n, judgement.test) == ((5, 5), "two one-sided tests")
    assert str(judgement.reason) == (
        "adam / warmup_cosine beside radam / warmup_cosine: -0.10 pp, whose interval -0.19 to "
        "-0.01 (90 %) lies within 0.50 either way."
    )
    assert [piece for piece in judgement.reason if isinstance(piece, Mention)] == [
        Mention(SMALL, ADAM), Mention(SMALL, RADAM),
    ]  # fmt: skip


def test_arms_that_are_apart_refute_it_whichever_is_ahead():
    for first, second in ((0.970, 0.950), (0.950, 0.970)):
        judgement = judged(first, second)
        assert judgement.verdict == verdict.REFUTED
        assert "lies beyond 0.50 either way" in str(judgement.reason)


def test_no_difference_found_is_not_equivalence():
    """Twelve times the spread: Welch's test finds nothing, and nothing is supported."""
    judgement = judged(0.970, 0.970, factor=12)
    assert judgement.verdict == verdict.UNDECIDED
    assert "does not lie within 0.50 either way" in str(judgement.reason)
    assert judged(0.970, 0.970).verdict == verdict.SUPPORTED  # the control


def test_below_five_studies_a_side_it_is_not_run():
    judgement = judged(0.970, 0.970, n=4)
    assert (judgement.verdict, judgement.estimate) == (verdict.NOT_RUN, None)
    assert str(judgement.reason) == (
        "digits-cnn lacks studies of adam / warmup_cosine, radam / warmup_cosine."
    )


def test_studies_that_diverged_leave_too_few_to_decide():
    full = studies_of(0.970, 0.970)
    lost = [replace(m, test_score=None, diverged_at_step=7) if m.study == 0 else m
            for m in full.metrics]  # fmt: skip
    judgement = ledger(replace(full, metrics=lost))[CLAIM]
    assert (judgement.verdict, judgement.n) == (verdict.UNDECIDED, (4, 4))
    assert "too few studies" in str(judgement.reason)
    assert "Diverged" in str(judgement.notes[0])


def test_where_the_baseline_misses_its_band_it_is_undecided():
    full = studies_of(0.970, 0.970)
    studies = [*full.metrics, *(study(BASELINE, n, 0.9 + x) for n, x in enumerate(OFFSETS))]
    banded = {SMALL: CLAIMS.baselines[POST]}
    judgement = ledger(
        evidence(workload=SMALL, studies=studies), claims=replace(CLAIMS, baselines=banded)
    )[CLAIM]
    assert judgement.verdict == verdict.UNDECIDED
    assert str(judgement.reason).startswith("No ranking is given: the baseline sgd / cosine")


def test_of_a_lower_score_the_estimate_is_by_how_much_the_first_is_lower():
    claims = replace(CLAIMS, scores={**CLAIMS.scores, SMALL: ERROR})
    workload = replace(studies_of(0.050, 0.052), score=ERROR)
    judgement = ledger(workload, claims=claims)[CLAIM]
    assert judgement.verdict == verdict.SUPPORTED
    assert judgement.estimate == pytest.approx(0.002)
    assert "+0.0020 lower" in str(judgement.reason)
    row = row_of(workload, claims)
    assert row.numbers[0] == "+0.0020 lower"
    assert row.numbers[1].endswith("(90 %)")


def row_of(workload: Evidence, claims=CLAIMS):
    """The claim's row in a ledger."""
    judged = of_verdicts(claims, verdicts(workload, claims=claims), inputs={})
    (row,) = [row for row in judged.rows if row.claim.id == CLAIM]
    return row


def test_the_ledger_tells_whose_claim_it_is():
    row = row_of(studies_of(0.970, 0.971))
    assert row.claim.source == "Ma and Yarats 2019 (arXiv 1910.04209)"
    assert row.numbers[:2] == ("-0.10 pp", "-0.19 to -0.01 (90 %)")
    assert row.judgement.verdict == verdict.SUPPORTED


def test_the_posts_claims_and_known_answers_are_counted_apart():
    summary = of_verdicts(CLAIMS, verdicts(studies_of(0.970, 0.971)), inputs={}).summary
    known = sum(claim.source is not None for claim in CLAIMS.claims)
    post, answers = summary.split(" Of ")
    assert post.startswith(f"Of {len(CLAIMS.claims) - known} claims of the post: ")
    assert answers == f"{known} known answers of others: 1 supported, {known - 1} not run."


def test_equivalence_claims_hold_their_arms():
    (claim,) = [claim for claim in CLAIMS.claims if claim.id == CLAIM]
    assert isinstance(claim, EquivalenceClaim)
    assert claim.contrast.arms == (ADAM, RADAM)
