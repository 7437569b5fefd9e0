"""The contrasts of all claims as questions to workloads, and their answers corrected together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optbench.claims.schema import AdviceClaim, Claim, Claims, Contrast, OrderingClaim
from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.evaluation.verdict import Advantage, holm


@dataclass(frozen=True, kw_only=True)
class Question:
    """A contrast on a workload. Those of one source, workload and role are a family for Holm."""

    workload: str
    transfer: bool
    quantity: str
    margin: float
    contrast: Contrast
    source: str | None  # whose claim asks

    @property
    def family(self) -> tuple[str | None, str, bool]:
        """What is corrected together."""
        return self.source, self.workload, self.transfer

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """First and second."""
        return self.contrast.arms

    @property
    def name(self) -> Prose:
        """In words."""
        return Prose.join(" over ", [Mention(self.workload, arm) for arm in self.arms])


def questions(claim: Claim) -> list[Question]:
    """The contrasts of a claim on its own workload, then on others."""
    if not isinstance(claim, OrderingClaim | AdviceClaim):
        return []
    places = [(claim.workload, False)] if isinstance(claim, OrderingClaim) else []
    places += [(workload, True) for workload in claim.transfer]
    return [
        Question(
            workload=workload,
            transfer=transfer,
            quantity=claim.quantity,
            margin=claim.margin,
            contrast=contrast,
            source=claim.source,
        )
        for workload, transfer in places
        for contrast in claim.contrasts
    ]


def asked(claims: Claims) -> list[Question]:
    """The questions of all claims, each once."""
    return list(dict.fromkeys(q for claim in claims.claims for q in questions(claim)))


def corrected(answers: Mapping[Question, Advantage | None]) -> dict[Question, float]:
    """Holm's p of each question that has a p value, in its family.

    A family is as large as claims.yaml makes it: a question without a p value counts as p = 1.
    """
    measured = {q: answer.p for q, answer in answers.items() if answer and answer.p is not None}
    families: dict[object, list[Question]] = {}
    for question in answers:
        families.setdefault(question.family, []).append(question)
    corrected_p: dict[Question, float] = {}
    for family in families.values():
        p_values = holm([measured.get(question, 1.0) for question in family])
        corrected_p |= {q: p for q, p in zip(family, p_values, strict=True) if q in measured}
    return corrected_p


def arms_of(questions: Sequence[Question]) -> list[Arm]:
    """The arms of contrasts, each once."""
    return list(dict.fromkeys(arm for question in questions for arm in question.arms))
