"""The ledger: each claim with its verdict, the numbers behind it, and the reason in a sentence.

A claim is judged on its own workload alone. What smaller workloads say of the same ordering stands
beside it as transfer evidence, and is never a verdict.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from optbench.claims import measured, words
from optbench.claims.bench import Bench, bench_of
from optbench.claims.evidence import Evidence, notes, pooled_environments
from optbench.claims.judgement import Judgement, not_run
from optbench.claims.orderings import equivalence, ordering, transfers
from optbench.claims.schema import (
    AdviceClaim,
    Claim,
    Claims,
    EquivalenceClaim,
    FormulaClaim,
    OrderingClaim,
    RatioClaim,
    ResourceClaim,
    ValueClaim,
)
from optbench.claims.sweeps import sweep_transfers
from optbench.core.arm import Arm
from optbench.core.prose import Prose
from optbench.evaluation import verdict


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """All claims judged, and what that rests on."""

    bench: Bench
    judgements: Sequence[Judgement]  # in the order of the claims


def judge(claims: Claims, evidence: Mapping[str, Evidence]) -> Verdicts:
    """The claims judged on the evidence of some workloads."""
    bench = bench_of(claims, evidence)
    return Verdicts(bench=bench, judgements=[_judged(bench, claim) for claim in claims.claims])


def _judged(bench: Bench, claim: Claim) -> Judgement:
    """The judgement of a claim of any kind."""
    match claim:
        case ValueClaim():
            return value(bench, claim)
        case OrderingClaim():
            return ordering(bench, claim)
        case EquivalenceClaim():
            return equivalence(bench, claim)
        case RatioClaim():
            return measured.ratio(bench.evidence, claim)
        case ResourceClaim():
            return measured.resource(bench.evidence, claim, bench.claims.usage.get(claim.id))
        case FormulaClaim():
            return measured.formula(claim)
        case AdviceClaim():
            return advice(bench, claim)
    raise TypeError(f"no rule judges a {type(claim).__name__}")


def value(bench: Bench, claim: ValueClaim) -> Judgement:
    """A mean against the claimed score."""
    arm, evidence = Arm.of(claim.arm), bench.run(claim.workload)
    if evidence is None or evidence.lacks(arm, claim.studies):
        return not_run(claim, words.unrun(claim.workload, [arm] if evidence else []))
    runs = evidence.studies(arm, claim.studies)
    scores = evidence.scores(arm, claim.studies)
    remarks = notes(evidence, runs)
    if not scores:
        reason = f"All {len(runs)} runs diverged: there is no {evidence.score.name} to compare."
        return Judgement(
            claim=claim.id, verdict=verdict.INCONCLUSIVE, reason=Prose.of(reason), notes=remarks
        )
    spread = evidence.spread(arm.tuning)
    result = verdict.judge_value(
        scores, claimed=claim.claimed, margin=claim.margin, k0=claim.k0, spread=spread
    )
    if spread is not None:
        remarks.append(Prose.of(words.spread_note(spread, scores, evidence.score)))
        remarks += pooled_environments(evidence, evidence.chosen(arm.tuning), what="The sd")
    return Judgement(
        claim=claim.id,
        verdict=result.verdict,
        reason=Prose.of(words.value_reason(claim, result, evidence.score)),
        estimate=result.difference,
        low=result.low,
        high=result.high,
        n=(result.n,),
        decisive_n=whole(result.decisive_n),
        test=result.test,
        p=result.p,
        notes=remarks,
    )


def advice(bench: Bench, claim: AdviceClaim) -> Judgement:
    """What would decide it, and what smaller workloads say; or that nothing measures it."""
    if claim.no_measure is not None:
        return Judgement(
            claim=claim.id, verdict=verdict.NO_MEASURE, reason=Prose.of(claim.no_measure)
        )
    reason = Prose.of(f"No run here decides it: it needs {claim.needs}.")
    transfer = [*transfers(bench, claim), *sweep_transfers(bench.evidence, claim)]
    return replace(not_run(claim, reason), transfer=transfer)


def whole(runs: float | None) -> int | Literal["never"] | None:
    """A number of runs; "never" where it is infinite."""
    if runs is None:
        return None
    return "never" if math.isinf(runs) else int(runs)
