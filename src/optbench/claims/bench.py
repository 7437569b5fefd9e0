"""All evidence on the bench, with the answers to the questions of all claims."""

from collections.abc import Mapping
from dataclasses import dataclass

from optbench.claims.evidence import Evidence, withheld
from optbench.claims.judgement import Contrasted
from optbench.claims.questions import Question, asked, corrected
from optbench.claims.schema import Claims
from optbench.core.prose import Prose
from optbench.evaluation import verdict
from optbench.evaluation.verdict import Advantage


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What judges claims. A workload that was not run may have costs, for ratios and resources."""

    claims: Claims
    evidence: Mapping[str, Evidence]  # by workload
    withheld: Mapping[str, Prose | None]  # of those that were run: why nothing is ranked
    # Of each contrast that claims name, run or not; None: no studies, or nothing is ranked.
    answers: Mapping[Question, Advantage | None]
    corrected: Mapping[Question, float]  # Holm's p, of answers that have one

    def run(self, workload: str) -> Evidence | None:
        """The evidence of a workload that was run; else None."""
        return self.evidence[workload] if workload in self.withheld else None

    def contrasted(self, question: Question) -> Contrasted:
        """A contrast with its finding."""
        answer = self.answers[question]
        if answer is None:  # the runs of an arm all diverged, or nothing is ranked
            return Contrasted(name=question.name, finding=verdict.UNDECIDED)
        p = self.corrected.get(question)
        return Contrasted(
            name=question.name,
            finding=verdict.judge_ordering(answer.difference, margin=answer.margin, p=p),
            estimate=answer.difference,
            low=answer.low,
            high=answer.high,
            n=(answer.first_n, answer.second_n),
            p=answer.p,
            p_corrected=p,
            ahead=answer.ahead,
        )


def bench_of(claims: Claims, evidence: Mapping[str, Evidence]) -> Bench:
    """The bench of what was run on some workloads, or measured."""
    run = {name: workload for name, workload in evidence.items() if workload.metrics}
    reasons = {
        name: withheld(w.metrics, workload=name, score=w.score, baseline=claims.baselines.get(name))
        for name, w in run.items()
    }
    ranked = {name: workload for name, workload in run.items() if reasons[name] is None}
    answers = {question: _answer(question, ranked) for question in asked(claims)}
    return Bench(
        claims=claims,
        evidence=evidence,
        withheld=reasons,
        answers=answers,
        corrected=corrected(answers),
    )


def _answer(question: Question, ranked: Mapping[str, Evidence]) -> Advantage | None:
    """The advantage in a contrast."""
    evidence = ranked.get(question.workload)
    if evidence is None:
        return None
    first, second = (evidence.gains(arm, question.quantity) for arm in question.arms)
    return verdict.advantage(first, second, margin=question.margin)
