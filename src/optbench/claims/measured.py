"""Ratios and resources, which costs judge, and a formula, which is computed."""

import math
from collections.abc import Callable, Mapping

from optbench.claims import words
from optbench.claims.evidence import Evidence
from optbench.claims.judgement import Judgement, not_run
from optbench.claims.schema import FormulaClaim, MeasuredClaim, RatioClaim, ResourceClaim, Usage
from optbench.core.prose import Prose
from optbench.core.run import Budget
from optbench.cost.cost import Cost
from optbench.evaluation import rectification, verdict

AGREEMENT = 1e-9  # relative, of two formulas
MEASURES: Mapping[str, Callable[[Cost, Budget], float]] = {
    # Training steps alone: without scoring the held-out examples at points.
    "training_hours": lambda cost, budget: cost.training_s(budget) / 3600,
    "peak_memory_gb": lambda cost, budget: cost.peak_memory_bytes / 1e9,
}


def ratio(evidence: Mapping[str, Evidence], claim: RatioClaim) -> Judgement:
    """A step's time beside SGD's."""
    cost, missing = _cost(evidence, claim)
    if cost is None:
        return not_run(claim, missing, notes=_elsewhere(evidence, claim))
    result = verdict.judge_ratio(
        cost.step_time_ratio,
        q1=cost.step_time_ratio_q1,
        q3=cost.step_time_ratio_q3,
        pairs=cost.pairs,
        claimed=claim.claimed,
        margin=claim.margin,
    )
    return Judgement(
        claim=claim.id,
        verdict=result.verdict,
        reason=Prose.of(
            f"On {cost.fingerprint['device']} a step's time beside SGD's is "
            f"{words.ratio_text(cost)}, against {claim.claimed:g} +/- {claim.margin:g} claimed."
        ),
        estimate=result.value,
        low=result.low,
        high=result.high,
        n=(cost.pairs,),
        test="interval of the median",
    )


def resource(
    evidence: Mapping[str, Evidence], claim: ResourceClaim, usage: Usage | None
) -> Judgement:
    """A single measurement against what the post expects; or what is needed without its device."""
    if usage is not None and usage.basis != "estimated":
        return requirement(claim, usage)
    if claim.quantity not in MEASURES:
        return not_run(claim, Prose.of(f"Nothing here measures {claim.quantity}."))
    cost, missing = _cost(evidence, claim)
    if cost is None:
        return not_run(claim, missing, notes=_estimate(claim, usage))
    measured = MEASURES[claim.quantity](cost, evidence[claim.workload].settings.budget)
    return Judgement(
        claim=claim.id,
        verdict=verdict.judge_measured(measured, claimed=claim.claimed, margin=claim.margin),
        reason=Prose.of(
            f"On {cost.fingerprint['device']} {claim.quantity} is {measured:.3g}, against "
            f"{claim.claimed:g} +/- {claim.margin:g} claimed."
        ),
        estimate=measured,
        n=(1,),
        test="one measurement, no interval",
    )


def requirement(claim: ResourceClaim, usage: Usage) -> Judgement:
    """What is said to be needed against what is: as much, less, or more."""
    result = verdict.judge_measured(usage.total, claimed=claim.claimed, margin=claim.margin)
    unit = words.unit_of(claim.quantity, None)
    claimed = unit.text(claim.claimed)
    said = {
        verdict.REPRODUCED: f"within {unit.text(claim.margin)} of the {claimed} claimed",
        verdict.LOWER: f"so that {claimed} are more than enough",
        verdict.HIGHER: f"so that {claimed} do not suffice",
    }[result]
    return Judgement(
        claim=claim.id,
        verdict=result,
        reason=Prose.of(f"A run needs {unit.text(usage.total)}, {said}."),
        estimate=usage.total,
        n=(1,),
        test="one measurement, no interval"
        if usage.basis == "measured"
        else "counted, no interval",
        notes=[Prose.of(words.parts_text(usage, unit)), *map(Prose.of, usage.notes)],
    )


def _estimate(claim: ResourceClaim, usage: Usage | None) -> list[Prose]:
    """What a run may take by an estimate, as information."""
    if usage is None:
        return []
    unit = words.unit_of(claim.quantity, None)
    head = f"An estimate, no verdict: {unit.text(usage.total)}. {words.parts_text(usage, unit)}"
    return [Prose.of(head), *map(Prose.of, usage.notes)]


def formula(claim: FormulaClaim) -> Judgement:
    """The printed formula beside its source's, both computed."""
    compared = rectification.compare(claim.beta2)
    agree = all(math.isclose(at.rho, at.printed_rho, rel_tol=AGREEMENT) for at in compared)
    first = compared[0]
    source, printed = (
        rectification.first_rectified_step(rho, claim.beta2)
        for rho in (rectification.rho, rectification.printed_rho)
    )
    amplified = ""
    if first.printed_factor is not None:
        amplified = f", where it multiplies the step by {first.printed_factor:.2f}"
    return Judgement(
        claim=claim.id,
        verdict=verdict.REPRODUCED if agree else verdict.ERRATUM,
        reason=Prose.of(
            f"At step {first.step} the source has rho = {first.rho:,.0f} and the post "
            f"{first.printed_rho:,.0f}{amplified}; the first rectified step is {source} by the "
            f"source and {printed} by the post."
        ),
        estimate=first.printed_rho,
        test="both formulas computed",
    )


def _cost(evidence: Mapping[str, Evidence], claim: MeasuredClaim) -> tuple[Cost | None, Prose]:
    """What was measured on the claim's device; where it is None, why."""
    workload = evidence.get(claim.workload)
    cost = workload.costs.get(claim.optimizer) if workload else None
    if cost is None:
        why = f"No cost of {claim.optimizer} on {claim.workload} is looked at here."
        return None, Prose.of(why)
    device = str(cost.fingerprint["device"])
    if claim.device not in device:
        why = f"It was measured on {device}; the claim is of {claim.device}."
        return None, Prose.of(why)
    return cost, Prose()


def _elsewhere(evidence: Mapping[str, Evidence], claim: RatioClaim) -> list[Prose]:
    """The same ratio on other devices or workloads, as information."""
    measured = [
        f"{name} on {cost.fingerprint['device']} {words.ratio_text(cost)}"
        for name, workload in evidence.items()
        if (cost := workload.costs.get(claim.optimizer)) is not None
    ]
    return [Prose.of(f"Not a verdict: {'; '.join(measured)}.")] if measured else []
