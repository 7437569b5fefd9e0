"""Orderings: every contrast, corrected together, on workloads whose baseline is in its band."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.claims.examples import (
    ADAMW,
    AHEAD,
    ARMS,
    BASELINE,
    CLAIMS,
    OF_ERROR,
    POST,
    SD,
    SMALL,
    around,
    evidence,
    ledger,
    only,
    study,
    verdicts,
)
from tests.evaluation.examples import ERROR

from optbench.claims.evidence import withheld
from optbench.claims.judgement import AS_TRANSFER
from optbench.core.arm import Arm
from optbench.core.run import Budget
from optbench.evaluation import verdict
from optbench.evaluation.metrics import Metrics


def test_an_ordering_needs_every_contrast():
    finding = ledger(evidence(AHEAD))["finding-adamw"]
    assert finding.verdict == verdict.SUPPORTED
    assert len(finding.contrasts) == 3
    step = Arm("adamw", "step")
    partly = ledger(evidence({**AHEAD, step: 0.951}))["finding-adamw"]
    assert partly.verdict == verdict.UNDECIDED
    assert "The worst of 3 contrasts is adamw / step over adam / step" in str(partly.reason)
    against = ledger(evidence({**AHEAD, step: 0.947}))["finding-adamw"]
    assert against.verdict == verdict.REFUTED
    assert against.estimate == pytest.approx(-0.004)
    assert against.high < 0


def test_of_a_lower_score_the_lower_is_ahead():
    """The same runs support the claim of an error, and refute it of an accuracy."""
    behind = dict.fromkeys(AHEAD, 0.047)
    of_error = evidence(behind, default=0.051, score=ERROR)
    finding = ledger(of_error, claims=OF_ERROR)["finding-adamw"]
    assert finding.verdict == verdict.SUPPORTED
    assert finding.estimate == pytest.approx(0.004)
    assert 0 < finding.low < 0.004 < finding.high
    assert "+0.0040 lower (95 % +0.0028 to +0.0052, n = 5 and 5" in str(finding.reason)
    turned = evidence(behind, default=0.051, score=replace(ERROR, higher_is_better=True))
    assert ledger(turned, claims=OF_ERROR)["finding-adamw"].verdict == verdict.REFUTED


def test_transfer_evidence_of_a_lower_score_agrees_where_it_is_lower():
    small = evidence(dict.fromkeys(AHEAD, 0.047), default=0.051, score=ERROR, workload=SMALL)
    (transfer,) = ledger(small, claims=OF_ERROR)["finding-adamw"].transfer
    assert transfer.finding == "agrees"
    turned = replace(small, score=replace(ERROR, higher_is_better=True))
    (transfer,) = ledger(turned, claims=OF_ERROR)["finding-adamw"].transfer
    assert transfer.finding == "disagrees"  # the control


def test_holms_correction_decides():
    """Nine contrasts: one with p = 0.02 alone is undecided, and is so by the correction."""
    half = stats.t.isf(0.01, 8) * SD * math.sqrt(2 / 5)
    ahead = evidence({ADAMW: 0.951 + half})
    finding = ledger(ahead)["finding-cosine"]
    assert finding.p == pytest.approx(0.02)
    assert finding.low > 0
    assert finding.p_corrected > 0.05
    assert finding.verdict == verdict.UNDECIDED
    control = ledger(ahead, claims=only("finding-cosine"))
    assert control["finding-cosine"].verdict == verdict.SUPPORTED


def test_the_share_of_pairs_of_studies_stands_before_welchs_p():
    """By hand: five studies beside five equal ones are ahead in 10 of 25 pairs, and tie in 5."""
    finding = ledger(evidence())["finding-cosine"]
    (contrast,) = finding.contrasts
    assert contrast.ahead == 0.5
    assert "ahead in 50 % of all pairs of studies, +0.00 pp (95 % " in str(finding.reason)
    above = str(ledger(evidence({ADAMW: 0.95125}))["finding-cosine"].reason)  # the ties won too
    assert above.index("ahead in 60 % of all pairs") < above.index("p = ")


def test_fewer_epochs_to_the_target_are_better():
    def studies(fast: str) -> list[Metrics]:
        return [
            replace(m, epochs_to_target=(80.5 if m.schedule == fast else 120.5) + m.study)
            for m in around({})
        ]

    assert ledger(evidence(studies=studies("one_cycle")))["finding-one-cycle"].verdict == (
        verdict.SUPPORTED
    )
    slow = ledger(evidence(studies=studies("step")))["finding-one-cycle"]
    assert slow.verdict == verdict.REFUTED
    assert "-40.00 epochs saved" in str(slow.reason)
    # The same where a lower score is better: epochs are epochs.
    workload = evidence(studies=studies("one_cycle"), score=ERROR)
    workload = replace(workload, metrics=[replace(m, test_score=0.05) for m in workload.metrics])
    assert ledger(workload, claims=OF_ERROR)["finding-one-cycle"].verdict == verdict.SUPPORTED


def test_a_run_that_misses_the_target_counts_as_the_whole_budget():
    studies = [
        replace(m, epochs_to_target=None if m.schedule == "step" else 100 + m.study)
        for m in around({})
    ]
    contrasts = ledger(evidence(studies=studies))["finding-one-cycle"].contrasts
    assert contrasts[1].estimate == pytest.approx(200 - 102)
    in_steps = evidence(studies=studies, budget=Budget(steps=391 * 300 + 39))  # 300.1 epochs
    contrasts = ledger(in_steps)["finding-one-cycle"].contrasts
    assert contrasts[1].estimate == pytest.approx(300 + 39 / 391 - 102)


@pytest.mark.parametrize("mean", [0.9449, 0.9581])
def test_where_the_baseline_misses_its_band_nothing_is_ranked(mean):
    inside = ledger(evidence(AHEAD))  # the control
    judged = verdicts(evidence({**AHEAD, BASELINE: mean}))
    outside = {j.claim: j for j in judged.judgements}
    assert inside["finding-adamw"].verdict == verdict.SUPPORTED
    judgement = outside["finding-adamw"]
    assert judgement.verdict == verdict.UNDECIDED
    assert str(judgement.reason) == (
        f"No ranking is given: the baseline sgd / cosine, as published has a mean of "
        f"{100 * mean:.2f} % and misses its sourced band of 94.6 to 95.7 %."
    )
    assert (judgement.estimate, judgement.p, judgement.contrasts) == (None, None, ())
    assert set(judged.bench.answers.values()) == {None}
    assert judged.bench.corrected == {}
    advice = outside["advice-adam"].transfer[0]
    assert advice.finding == "undecided"
    assert any("No ranking is given" in str(note) for note in advice.notes)
    assert outside["cifar10-adamw"].verdict == inside["cifar10-adamw"].verdict  # a value, no rank


@pytest.mark.parametrize(("mean", "is_ranked"), [(0.045, False), (0.050, True), (0.058, False)])
def test_a_band_of_a_lower_score_is_between_its_two_numbers(mean, is_ranked):
    studies = around({BASELINE: mean}, default=0.05)
    band = OF_ERROR.baselines[POST]
    why = withheld(studies, workload=POST, score=ERROR, baseline=band)
    assert (why is None) == is_ranked
    assert is_ranked or str(why) == (
        f"the baseline sgd / cosine, as published has a mean of {mean:.4f} and misses its "
        "sourced band of 0.046 to 0.057"
    )
    assert withheld(studies, workload=POST, score=ERROR, baseline=None) is None


def test_a_baseline_that_was_not_run_ranks_nothing():
    studies = [m for m in around({}) if m.optimizer != "sgd"]
    assert "has no accuracy" in str(ledger(evidence(studies=studies))["finding-adamw"].reason)


def test_other_workloads_give_transfer_evidence_and_never_a_verdict():
    small = evidence(AHEAD, workload=SMALL)
    judgement = ledger(small)["finding-adamw"]
    assert (judgement.verdict, judgement.estimate, judgement.p) == (verdict.NOT_RUN, None, None)
    assert str(judgement.reason) == "cifar10-resnet18 was not run."
    (transfer,) = judgement.transfer
    assert (transfer.workload, transfer.finding) == (SMALL, "agrees")
    assert [c.finding for c in transfer.contrasts] == ["agrees"] * 3
    assert transfer.notes == []
    # The same runs on the claim's own workload are a verdict.
    assert ledger(evidence(AHEAD))["finding-adamw"].verdict == verdict.SUPPORTED
    # What it lacks is named as not run.
    kfac = ledger(small)["finding-kfac"].transfer[0]
    assert [c.finding for c in kfac.contrasts] == [verdict.NOT_RUN]
    assert kfac.finding == verdict.NOT_RUN


def test_an_arm_that_is_missing_leaves_the_claim_not_run():
    studies = [m for m in around({}) if m.schedule != "step"]
    judgement = ledger(evidence(studies=studies))["finding-cosine"]
    assert judgement.verdict == verdict.NOT_RUN
    assert "lacks studies of adamw / step" in str(judgement.reason)


@given(st.lists(st.floats(0.0, 1.0), min_size=80, max_size=80))
@settings(deadline=None, max_examples=15)
def test_whatever_small_workloads_say_the_posts_own_setting_is_not_run(scores):
    names = [(arm, number) for arm in ARMS for number in range(5)]
    studies = [study(*name, score) for name, score in zip(names, scores, strict=True)]
    for judgement in ledger(evidence(studies=studies, workload=SMALL)).values():
        if judgement.claim not in CLAIMS.usage:
            assert judgement.verdict in (verdict.NOT_RUN, verdict.ERRATUM, verdict.NO_MEASURE)
        assert {t.finding for t in judgement.transfer} <= set(AS_TRANSFER.values())


def test_what_was_asked_stands_beside_the_judgements():
    judged = verdicts(evidence(AHEAD))
    bench = judged.bench
    finding = next(j for j in judged.judgements if j.claim == "finding-adamw")
    contrasts = [q for q in bench.answers if not q.transfer and q.quantity == "score"]
    by_name = {str(q.name): q for q in contrasts if q.workload == POST}
    for contrast in finding.contrasts:
        question = by_name[str(contrast.name)]
        assert bench.corrected[question] == contrast.p_corrected
        assert bench.answers[question].difference == contrast.estimate


def test_under_equality_a_whole_ledger_seldom_ranks_anything():
    """Holm over all of a workload's contrasts: one false ranking or more in at most 5 %."""
    rng = np.random.default_rng(0)
    ledgers, wrong, uncorrected = 120, 0, 0
    orderings = [c for c in CLAIMS.claims if c.kind == "ordering" and c.workload == POST]
    claims = replace(CLAIMS, claims=orderings)
    for _ in range(ledgers):
        studies = [
            study(arm, number, float(rng.normal(0.951, 0.0016)), epochs=int(rng.integers(80, 120)))
            for arm in ARMS
            for number in range(5)
        ]
        contrasts = [
            c
            for j in ledger(evidence(studies=studies), claims=claims).values()
            for c in j.contrasts
        ]
        wrong += any(c.finding != verdict.UNDECIDED for c in contrasts)
        uncorrected += any(c.p <= 0.05 for c in contrasts)
    assert wrong / ledgers <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / ledgers)
    assert uncorrected / ledgers > 0.05 + 3 * math.sqrt(0.05 * 0.95 / ledgers)  # the control
