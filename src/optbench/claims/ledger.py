"""The ledger: each claim with its verdict, the numbers behind it, and the reason in a sentence.

A claim is judged on its own workload alone. What smaller workloads say of the same ordering stands
beside it as transfer evidence, and is never a verdict.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from optbench.claims import words
from optbench.claims.evidence import Evidence, notes, pooled_environments, withheld
from optbench.claims.judgement import AS_TRANSFER, Contrasted, Judgement, Transfer, not_run
from optbench.claims.questions import Question, arms_of, corrected, questions
from optbench.claims.schema import (
    AdviceClaim,
    Baseline,
    Claim,
    Claims,
    FormulaClaim,
    MeasuredClaim,
    OrderingClaim,
    RatioClaim,
    ResourceClaim,
    ValueClaim,
)
from optbench.evaluation import erratum, verdict
from optbench.evaluation.verdict import Advantage

AGREEMENT = 1e-9  # relative, of two formulas


def judge(claims: Claims, evidence_by_workload: Mapping[str, Evidence]) -> list[Judgement]:
    """A judgement of each claim, in their order."""
    bench = Bench(claims, evidence_by_workload)
    return [bench.judge(claim) for claim in claims.claims]


class Bench:
    """All evidence, with the answers to the questions of all claims, corrected together.

    A workload that was not run may have costs: they judge ratios and resources.
    """

    def __init__(self, claims: Claims, evidence: Mapping[str, Evidence]) -> None:
        self.evidence = evidence
        self.run = {name: own for name, own in evidence.items() if own.metrics}
        self.baselines: Mapping[str, Baseline] = claims.baselines
        self.withheld = {
            name: withheld(own.metrics, claims.baselines.get(name))
            for name, own in self.run.items()
        }
        asked = dict.fromkeys(q for claim in claims.claims for q in questions(claim))
        self.answers = {question: self.answer(question) for question in asked}
        self.corrected = corrected(self.answers)

    def answer(self, question: Question) -> Advantage | None:
        """The advantage in a contrast; None without runs, or where nothing is ranked."""
        evidence = self.run.get(question.workload)
        if evidence is None or self.withheld[question.workload]:
            return None
        first, second = (
            evidence.scores(arm, question.quantity, question.seeds) for arm in question.arms
        )
        return verdict.advantage(first, second, margin=question.margin)

    def judge(self, claim: Claim) -> Judgement:
        """The judgement of a claim of any kind."""
        match claim:
            case ValueClaim():
                return self.value(claim)
            case OrderingClaim():
                return self.ordering(claim)
            case RatioClaim():
                return self.ratio(claim)
            case ResourceClaim():
                return self.resource(claim)
            case FormulaClaim():
                return formula(claim)
            case AdviceClaim():
                reason = f"No run here decides it: it needs {claim.needs}."
                return replace(not_run(claim, reason), transfer=self.transfer(claim))
        raise TypeError(f"no rule judges a {type(claim).__name__}")

    def value(self, claim: ValueClaim) -> Judgement:
        """A mean against the claimed accuracy."""
        (optimizer,), (schedule,) = claim.runs.optimizers, claim.runs.schedules
        arm, evidence = (optimizer, schedule), self.run.get(claim.workload)
        if evidence is None or evidence.lacks(arm, claim.runs.seeds):
            return not_run(claim, words.unrun(claim.workload, [arm] if evidence else []))
        runs = evidence.runs(arm, claim.runs.seeds)
        accuracies = list(evidence.scores(arm, claim.quantity, claim.runs.seeds).values())
        remarks = notes(evidence, runs)
        if not accuracies:
            reason = f"All {len(runs)} runs diverged: there is no accuracy to compare."
            return Judgement(
                claim=claim.id, verdict=verdict.INCONCLUSIVE, reason=reason, notes=remarks
            )
        spread = evidence.spread()
        found = verdict.judge_value(
            accuracies, claimed=claim.claimed, margin=claim.margin, k0=claim.k0, spread=spread
        )
        if spread is not None:
            remarks += [
                words.spread_note(spread, accuracies),
                *pooled_environments(evidence, evidence.metrics, what="The sd"),
            ]
        return Judgement(
            claim=claim.id,
            verdict=found.verdict,
            reason=words.value_reason(claim, found),
            estimate=found.difference,
            low=found.low,
            high=found.high,
            n=(found.n,),
            decisive_n=whole(found.decisive_n),
            test=found.test,
            p=found.p,
            notes=remarks,
        )

    def ordering(self, claim: OrderingClaim) -> Judgement:
        """All contrasts of a claim on its own workload, and what other workloads say."""
        transfer = self.transfer(claim)
        own = [question for question in questions(claim) if not question.transfer]
        evidence, arms = self.run.get(claim.workload), arms_of(own)
        lacking = [a for a in arms if evidence and evidence.lacks(a, claim.runs.seeds)]
        if evidence is None or lacking:
            return replace(not_run(claim, words.unrun(claim.workload, lacking)), transfer=transfer)
        runs = [run for arm in arms for run in evidence.runs(arm, claim.runs.seeds)]
        remarks = notes(evidence, runs)
        if why := self.withheld[claim.workload]:
            return Judgement(
                claim=claim.id,
                verdict=verdict.UNDECIDED,
                reason=f"No ranking is given: {why}.",
                notes=remarks,
                transfer=transfer,
            )
        contrasts = [self.contrasted(question) for question in own]
        worst = least_favourable(contrasts)
        return Judgement(
            claim=claim.id,
            verdict=verdict.judge_all([contrast.finding for contrast in contrasts]),
            reason=words.ordering_reason(worst, claim.quantity, of=len(contrasts)),
            estimate=worst.estimate,
            low=worst.low,
            high=worst.high,
            n=worst.n,
            test=None if worst.p is None else "Welch's t test, Holm's correction",
            p=worst.p,
            p_corrected=worst.p_corrected,
            notes=[*remarks, *self.unbanded(claim.workload)],
            contrasts=contrasts,
            transfer=transfer,
        )

    def contrasted(self, question: Question) -> Contrasted:
        """A contrast with its finding."""
        found = self.answers[question]
        if found is None:  # the runs of an arm all diverged, or nothing is ranked
            return Contrasted(name=question.name, finding=verdict.UNDECIDED)
        p = self.corrected.get(question)
        return Contrasted(
            name=question.name,
            finding=verdict.judge_ordering(found, p=p),
            estimate=found.difference,
            low=found.low,
            high=found.high,
            n=(found.first_n, found.second_n),
            p=found.p,
            p_corrected=p,
            paired=found.paired,
        )

    def transfer(self, claim: OrderingClaim | AdviceClaim) -> list[Transfer]:
        """What each other workload that was run says of the claim's contrasts."""
        asked: dict[str, list[Question]] = {}
        for question in questions(claim):
            if question.transfer and question.workload in self.run:
                asked.setdefault(question.workload, []).append(question)
        return [self.transfer_from(self.run[name], own) for name, own in asked.items()]

    def transfer_from(self, evidence: Evidence, own: Sequence[Question]) -> Transfer:
        """One workload's evidence; contrasts without runs are named as not run."""
        contrasts = [
            self.contrasted(question)
            if all(evidence.runs(arm) for arm in question.arms)
            else Contrasted(name=question.name, finding=verdict.NOT_RUN)
            for question in own
        ]
        runs = [run for arm in arms_of(own) for run in evidence.runs(arm)]
        findings = [contrast.finding for contrast in contrasts]
        overall = verdict.NOT_RUN if not runs else verdict.judge_all(findings)
        why = self.withheld[evidence.workload]
        return Transfer(
            workload=evidence.workload,
            finding=AS_TRANSFER[overall],
            contrasts=[replace(c, finding=AS_TRANSFER[c.finding]) for c in contrasts],
            notes=[
                *notes(evidence, runs),
                *([f"No ranking is given: {why}."] if why else []),
            ],
        )

    def unbanded(self, workload: str) -> list[str]:
        """A sentence where a workload's baseline has nothing to be held against."""
        if workload in self.baselines:
            return []
        return [f"{workload} has no sourced band for its baseline."]

    def ratio(self, claim: RatioClaim) -> Judgement:
        """A step's time beside SGD's."""
        cost, missing = self.cost(claim)
        if cost is None:
            return replace(not_run(claim, missing), notes=self.elsewhere(claim))
        found = verdict.judge_ratio(
            cost["step_time_ratio"],
            q1=cost["step_time_ratio_q1"],
            q3=cost["step_time_ratio_q3"],
            pairs=cost["pairs"],
            claimed=claim.claimed,
            margin=claim.margin,
        )
        return Judgement(
            claim=claim.id,
            verdict=found.verdict,
            reason=(
                f"On {cost['fingerprint']['device']} a step's time beside SGD's is "
                f"{words.ratio_text(cost)}, against {claim.claimed:g} +/- {claim.margin:g} claimed."
            ),
            estimate=found.ratio,
            low=found.low,
            high=found.high,
            n=(cost["pairs"],),
            test="interval of the median",
        )

    def resource(self, claim: ResourceClaim) -> Judgement:
        """A single measurement against what the post expects."""
        if claim.quantity not in MEASURES:
            return not_run(claim, f"Nothing here measures {claim.quantity}.")
        cost, missing = self.cost(claim)
        if cost is None:
            return not_run(claim, missing)
        measured = MEASURES[claim.quantity](cost, self.evidence[claim.workload].settings.epochs)
        return Judgement(
            claim=claim.id,
            verdict=verdict.judge_measured(measured, claimed=claim.claimed, margin=claim.margin),
            reason=(
                f"On {cost['fingerprint']['device']} {claim.quantity} is {measured:.3g}, against "
                f"{claim.claimed:g} +/- {claim.margin:g} claimed."
            ),
            estimate=measured,
            n=(1,),
            test="one measurement, no interval",
        )

    def cost(self, claim: MeasuredClaim) -> tuple[Mapping[str, Any] | None, str]:
        """What was measured on the claim's device; where it is None, why."""
        evidence = self.evidence.get(claim.workload)
        cost = evidence.costs.get(claim.optimizer) if evidence else None
        if cost is None:
            return None, f"No cost of {claim.optimizer} on {claim.workload} is looked at here."
        device = cost["fingerprint"]["device"]
        if claim.device not in device:
            return None, f"It was measured on {device}; the claim is of {claim.device}."
        return cost, ""

    def elsewhere(self, claim: RatioClaim) -> list[str]:
        """The same ratio on other devices or workloads, as information."""
        measured = [
            f"{name} on {cost['fingerprint']['device']} {words.ratio_text(cost)}"
            for name, evidence in self.evidence.items()
            if (cost := evidence.costs.get(claim.optimizer)) is not None
        ]
        return [f"Not a verdict: {'; '.join(measured)}."] * bool(measured)


MEASURES = {
    # Training steps alone: without scoring the held-out images after each epoch.
    "training_hours": lambda cost, epochs: (
        cost["step_time_s"] * cost["steps_per_epoch"] * epochs / 3600
    ),
    "peak_memory_gb": lambda cost, epochs: cost["peak_memory_bytes"] / 1e9,
}


def whole(runs: float | None) -> int | Literal["never"] | None:
    """A number of runs; "never" where it is infinite."""
    if runs is None:
        return None
    return "never" if math.isinf(runs) else int(runs)


def least_favourable(contrasts: Sequence[Contrasted]) -> Contrasted:
    """The contrast that speaks most against the claim."""
    order = (verdict.REFUTED, verdict.UNDECIDED, verdict.SUPPORTED)
    return min(
        contrasts,
        key=lambda c: (order.index(c.finding), -math.inf if c.estimate is None else c.estimate),
    )


def formula(claim: FormulaClaim) -> Judgement:
    """The printed formula beside its source's, both computed."""
    compared = erratum.compare(claim.beta2)
    agree = all(math.isclose(at.rho, at.printed_rho, rel_tol=AGREEMENT) for at in compared)
    first = compared[0]
    source, printed = (
        erratum.first_rectified_step(rho, claim.beta2) for rho in (erratum.rho, erratum.printed_rho)
    )
    amplified = "" if first.printed_factor is None else (
        f", where it multiplies the step by {first.printed_factor:.2f}"
    )  # fmt: skip
    return Judgement(
        claim=claim.id,
        verdict=verdict.REPRODUCED if agree else verdict.ERRATUM,
        reason=(
            f"At step {first.step} the source has rho = {first.rho:,.0f} and the post "
            f"{first.printed_rho:,.0f}{amplified}; the first rectified step is {source} by the "
            f"source and {printed} by the post."
        ),
        estimate=first.printed_rho,
        test="both formulas computed",
    )
