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
    """Holm's p of each question that has a p value, in its family."""
    families: dict[tuple[str, bool], dict[Question, float]] = {}
    for question, found in answers.items():
        if found is not None and found.p is not None:
            families.setdefault(question.family, {})[question] = found.p
    return {
        question: p
        for family in families.values()
        for question, p in zip(family, holm(list(family.values())), strict=True)
    }


def arms_of(asked: Sequence[Question]) -> list[Arm]:
    """The arms of contrasts, each once."""
    return list(dict.fromkeys(arm for question in asked for arm in question.arms))
