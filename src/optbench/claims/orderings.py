"""Orderings: contrasts on a claim's own workload, and what others say of the same ones."""

import math
from collections.abc import Sequence
from dataclasses import replace

from optbench.claims import words
from optbench.claims.bench import Bench
from optbench.claims.evidence import Evidence, notes
from optbench.claims.judgement import AS_TRANSFER, Contrasted, Judgement, Transfer, not_run
from optbench.claims.questions import Question, arms_of, questions
from optbench.claims.schema import SCORE, AdviceClaim, EquivalenceClaim, OrderingClaim
from optbench.core.prose import Prose
from optbench.evaluation import verdict


def ordering(bench: Bench, claim: OrderingClaim) -> Judgement:
    """All contrasts of a claim on its own workload, and what other workloads say."""
    transfer = transfers(bench, claim)
    asked = [question for question in questions(claim) if not question.transfer]
    evidence, arms = bench.run(claim.workload), arms_of(asked)
    lacking = [arm for arm in arms if evidence and evidence.lacks(arm)]
    if evidence is None or lacking:
        return replace(not_run(claim, words.unrun(claim.workload, lacking)), transfer=transfer)
    remarks = notes(evidence, [study for arm in arms for study in evidence.studies(arm)])
    if why := bench.withheld[claim.workload]:
        return Judgement(
            claim=claim.id,
            verdict=verdict.UNDECIDED,
            reason=unranked(why),
            notes=remarks,
            transfer=transfer,
        )
    contrasts = [bench.contrasted(question) for question in asked]
    worst = least_favourable(contrasts)
    if claim.workload not in bench.claims.baselines:
        remarks.append(Prose.of(f"{claim.workload} has no sourced band for its baseline."))
    unit = words.advantage_unit(claim.quantity, evidence.score)
    return Judgement(
        claim=claim.id,
        verdict=verdict.judge_all([contrast.finding for contrast in contrasts]),
        reason=words.ordering_reason(worst, unit, of=len(contrasts)),
        estimate=worst.estimate,
        low=worst.low,
        high=worst.high,
        n=worst.n,
        test=None if worst.p is None else "Welch's t test, Holm's correction",
        p=worst.p,
        p_corrected=worst.p_corrected,
        notes=remarks,
        contrasts=contrasts,
        transfer=transfer,
    )


def equivalence(bench: Bench, claim: EquivalenceClaim) -> Judgement:
    """Two arms that are claimed to be as good."""
    arms, evidence = claim.contrast.arms, bench.run(claim.workload)
    lacking = [arm for arm in arms if evidence and evidence.lacks(arm)]
    if evidence is None or lacking:
        return not_run(claim, words.unrun(claim.workload, lacking))
    remarks = notes(evidence, [study for arm in arms for study in evidence.studies(arm)])
    if why := bench.withheld[claim.workload]:
        return Judgement(
            claim=claim.id, verdict=verdict.UNDECIDED, reason=unranked(why), notes=remarks
        )
    first, second = (evidence.gains(arm, SCORE) for arm in arms)
    result = verdict.judge_equivalence(first, second, margin=claim.margin)
    unit = words.advantage_unit(SCORE, evidence.score)
    return Judgement(
        claim=claim.id,
        verdict=result.verdict,
        reason=words.equivalence_reason(claim, result, unit),
        estimate=result.value,
        low=result.low,
        high=result.high,
        n=(len(first), len(second)),
        test="two one-sided tests",
        notes=remarks,
    )


def unranked(why: Prose) -> Prose:
    """A sentence on a workload where nothing is ranked."""
    return Prose.of("No ranking is given: ", why, ".")


def least_favourable(contrasts: Sequence[Contrasted]) -> Contrasted:
    """The contrast that speaks most against the claim."""
    order = (verdict.REFUTED, verdict.UNDECIDED, verdict.SUPPORTED)
    return min(
        contrasts,
        key=lambda c: (order.index(c.finding), -math.inf if c.estimate is None else c.estimate),
    )


def transfers(bench: Bench, claim: OrderingClaim | AdviceClaim) -> list[Transfer]:
    """What each other workload that was run says of the claim's contrasts."""
    asked: dict[str, list[Question]] = {}
    for question in questions(claim):
        if question.transfer:
            asked.setdefault(question.workload, []).append(question)
    return [
        _transfer(bench, evidence, contrasts)
        for workload, contrasts in asked.items()
        if (evidence := bench.run(workload)) is not None
    ]


def _transfer(bench: Bench, evidence: Evidence, asked: Sequence[Question]) -> Transfer:
    """One workload's evidence; contrasts with an arm below five studies are named as not run."""
    contrasts = [
        bench.contrasted(question)
        if not any(evidence.lacks(arm) for arm in question.arms)
        else Contrasted(name=question.name, finding=verdict.NOT_RUN)
        for question in asked
    ]
    studies = [study for arm in arms_of(asked) for study in evidence.studies(arm)]
    remarks = notes(evidence, studies)
    if why := bench.withheld[evidence.workload]:
        remarks.append(unranked(why))
    findings = [contrast.finding for contrast in contrasts]
    was_run = any(finding != verdict.NOT_RUN for finding in findings)
    overall = verdict.judge_all(findings) if was_run else verdict.NOT_RUN
    return Transfer(
        workload=evidence.workload,
        finding=AS_TRANSFER[overall],
        contrasts=[replace(c, finding=AS_TRANSFER[c.finding]) for c in contrasts],
        notes=remarks,
    )
