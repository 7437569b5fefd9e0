"""The contrasts of all claims as questions to workloads, and their answers corrected together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optbench.claims.schema import AdviceClaim, Arm, Claim, Contrast, OrderingClaim
from optbench.evaluation.verdict import Advantage, holm


@dataclass(frozen=True)
class Question:
    """A contrast on a workload. Those of one workload and role are a family for Holm."""

    workload: str
    transfer: bool
    quantity: str
    margin: float
    contrast: Contrast
    seeds: tuple[int, ...] | None  # None: all there are

    @property
    def family(self) -> tuple[str, bool]:
        """What is corrected together."""
        return self.workload, self.transfer

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """First and second."""
        return self.contrast.first, self.contrast.second

    @property
    def name(self) -> str:
        """In words."""
        return " over ".join(" / ".join(arm) for arm in self.arms)


def questions(claim: Claim) -> list[Question]:
    """The contrasts of a claim on its own workload, then on others."""
    if not isinstance(claim, OrderingClaim | AdviceClaim):
        return []
    own = [
        Question(claim.workload, False, claim.quantity, claim.margin, contrast, claim.runs.seeds)
        for contrast in claim.contrasts
        if isinstance(claim, OrderingClaim)
    ]
    return own + [
        Question(workload, True, claim.quantity, claim.margin, contrast, None)
        for workload in claim.transfer
        for contrast in claim.contrasts
    ]


def corrected(answers: Mapping[Question, Advantage | None]) -> dict[Question, float]:
    """Holm's p of each question that has a p value, in its family.

    A family is as large as claims.yaml makes it: a question without a p value counts as p = 1.
    """
    measured = {question: found.p for question, found in answers.items() if found is not None}
    families: dict[tuple[str, bool], list[Question]] = {}
    for question in answers:
        families.setdefault(question.family, []).append(question)
    found_p: dict[Question, float] = {}
    for family in families.values():
        p_values = [measured.get(question) for question in family]
        corrected_p = holm([1.0 if p is None else p for p in p_values])
        found_p |= {
            question: own
            for question, p, own in zip(family, p_values, corrected_p, strict=True)
            if p is not None
        }
    return found_p


def arms_of(asked: Sequence[Question]) -> list[Arm]:
    """The arms of contrasts, each once."""
    return list(dict.fromkeys(arm for question in asked for arm in question.arms))
