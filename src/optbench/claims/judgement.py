"""What the ledger says of a claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from optbench.claims.schema import Claim
from optbench.core.prose import Prose
from optbench.evaluation import verdict

# What a verdict is called where it is transfer evidence.
AS_TRANSFER = {
    verdict.SUPPORTED: "agrees",
    verdict.REFUTED: "disagrees",
    verdict.UNDECIDED: "undecided",
    verdict.NOT_RUN: verdict.NOT_RUN,
}


def sentence(text: object) -> Prose:
    """Prose as it is, and text as prose that mentions nothing."""
    if isinstance(text, Prose):
        return text
    if isinstance(text, str):
        return Prose.of(text)
    raise ValueError("must be text")


# In JSON it is plain text.
Sentence = Annotated[
    Prose,
    PlainValidator(sentence),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]


@dataclass(frozen=True, kw_only=True)
class Contrasted:
    """One contrast: the advantage of first over second; in the score's unit, or epochs saved."""

    name: Sentence
    finding: str  # a verdict; in transfer evidence, a word of `AS_TRANSFER`
    estimate: float | None = None
    low: float | None = None  # 95 %, Welch's
    high: float | None = None
    n: tuple[int, ...] = ()
    p: float | None = None
    p_corrected: float | None = None  # Holm, over the contrasts of its workload
    ahead: float | None = None  # the share of pairs of studies in which the first is better


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What another workload says of the same ordering: no verdict on the claim."""

    workload: str
    finding: str  # a word of `AS_TRANSFER`
    contrasts: Sequence[Contrasted]
    notes: Sequence[Sentence]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A claim's verdict.

    The estimate is, of a value, our mean less the claimed one, with its 90 % interval; of an
    ordering, the first's advantage in the contrast that fares worst, with its 95 % interval; of an
    equivalence, the first's advantage with its 90 % interval; of a ratio or resource, what was
    measured, a ratio with its 90 % interval; of a formula, what the printed one gives at the first
    step.
    """

    claim: str  # id
    verdict: str
    reason: Sentence
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: tuple[int, ...] = ()  # studies of each arm, or pairs of steps
    # Of an inconclusive value: runs of ours that would decide a difference of this size.
    decisive_n: int | Literal["never"] | None = None
    test: str | None = None
    p: float | None = None
    p_corrected: float | None = None
    notes: Sequence[Sentence] = ()  # what was pooled, missing, diverged
    contrasts: Sequence[Contrasted] = ()
    transfer: Sequence[Transfer] = ()


def not_run(claim: Claim, reason: Prose, *, notes: Sequence[Prose] = ()) -> Judgement:
    """The judgement of a claim that nothing was run for."""
    return Judgement(claim=claim.id, verdict=verdict.NOT_RUN, reason=reason, notes=notes)
