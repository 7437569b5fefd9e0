"""The shape of a post's claims.yaml: what is claimed, with the studies and the rule to judge it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import AfterValidator

from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.params.schema import ArmKey

SCORE, EPOCHS = "score", "epochs_to_target"  # quantities that arms are compared by

Text = Annotated[str, MinLen(1)]
Margin = Annotated[float, Gt(0)]
Compared = Literal["score", "epochs_to_target"]


def https(url: str) -> str:
    """Passes an address that a page may lead to, and that no format takes for marks."""
    if not re.fullmatch(r"https://[\w./#-]+", url, re.ASCII):
        raise ValueError("must begin with https://, with letters, digits and . / # _ - behind it")
    return url


Url = Annotated[str, AfterValidator(https)]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two arms, by their keys; the claim says that the first beats the second."""

    first: ArmKey
    second: ArmKey

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """First and second."""
        return Arm.of(self.first), Arm.of(self.second)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What every claim has."""

    id: Text
    place: Text  # in the source
    text: Text  # in our words
    source: Text | None = None  # whose claim it is; None: the post's


@dataclass(frozen=True, kw_only=True)
class ValueClaim(Claim):
    """A score of one arm; `claimed` and `margin` are as the workload's task stores them."""

    kind: Literal["value"]
    quantity: Literal["score"]
    workload: str
    claimed: float
    margin: Margin
    k0: Annotated[int, Ge(1)]  # runs that the claimed value is a mean of; 1 where the post is mute
    arm: ArmKey
    studies: Annotated[tuple[int, ...], MinLen(1)]  # their numbers


@dataclass(frozen=True, kw_only=True)
class OrderingClaim(Claim):
    """The first of each contrast beats the second by at least `margin`, by all studies of each."""

    kind: Literal["ordering"]
    quantity: Compared
    workload: str
    margin: Annotated[float, Ge(0)]
    contrasts: Annotated[tuple[Contrast, ...], MinLen(1)]
    transfer: tuple[str, ...]  # smaller workloads that may say something of the same ordering


@dataclass(frozen=True, kw_only=True)
class EquivalenceClaim(Claim):
    """Two arms differ by less than `margin`, which is as the workload's task stores it."""

    kind: Literal["equivalence"]
    quantity: Literal["score"]
    workload: str
    margin: Margin
    contrast: Contrast


@dataclass(frozen=True, kw_only=True)
class MeasuredClaim(Claim):
    """What a step or a run takes, on a device that `device` is a part of."""

    workload: str
    claimed: Annotated[float, Gt(0)]
    margin: Margin
    optimizer: str
    device: str


@dataclass(frozen=True, kw_only=True)
class RatioClaim(MeasuredClaim):
    """The time of an optimizer's step beside SGD's."""

    kind: Literal["ratio"]
    quantity: Literal["step_time_ratio"]


@dataclass(frozen=True, kw_only=True)
class ResourceClaim(MeasuredClaim):
    """What a run takes; of storage_gb and ram_gb, what it needs."""

    kind: Literal["resource"]
    quantity: Literal["training_hours", "peak_memory_gb", "storage_gb", "ram_gb"]


@dataclass(frozen=True, kw_only=True)
class FormulaClaim(Claim):
    """A formula that the post prints, to be computed beside its source's."""

    kind: Literal["formula"]
    quantity: Literal["radam_rho"]
    beta2: Annotated[float, Gt(0.6), Lt(1)]  # up to 0.6 rho_inf is at most 4: nothing to rectify


@dataclass(frozen=True, kw_only=True)
class SweepReading:
    """What is read from a workload's sweep: the price of a value, or which of two arms is ahead."""

    workload: str
    sweep: str
    value: Any = None  # that is advised; it is held against the best by validation
    contrast: Contrast | None = None
    at: tuple[Any, ...] = ()  # values at which the first of the contrast is said to be ahead

    @property
    def values(self) -> tuple[Any, ...]:
        """Those that are named."""
        return self.at if self.contrast is not None else (self.value,)


@dataclass(frozen=True, kw_only=True)
class AdviceClaim(Claim):
    """Advice that no single run decides; contrasts and sweeps of workloads speak for it or not.

    `margin` is how much worse than the best an advised value may be, too.
    """

    kind: Literal["advice"]
    workload: str
    needs: Text | None = None  # what would decide it there; or
    no_measure: Text | None = None  # a sentence on what has no measure, so that nothing decides it
    quantity: Compared = "score"
    margin: Annotated[float, Ge(0)] = 0.0
    contrasts: tuple[Contrast, ...] = ()
    transfer: tuple[str, ...] = ()
    sweeps: tuple[SweepReading, ...] = ()


SHAPES: dict[str, type[Claim]] = {
    "value": ValueClaim,
    "ordering": OrderingClaim,
    "equivalence": EquivalenceClaim,
    "ratio": RatioClaim,
    "resource": ResourceClaim,
    "formula": FormulaClaim,
    "advice": AdviceClaim,
}


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The band that others' runs give a workload's baseline; outside of it nothing is ranked."""

    arm: ArmKey
    low: float  # as the workload's task stores scores
    high: float
    source: Text


@dataclass(frozen=True, kw_only=True)
class Post:
    """What claims are taken from."""

    title: Text
    date: Date
    author: Text | None = None
    url: Url | None = None

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return f'"{self.title}" ({", ".join(filter(None, (self.author, str(self.date))))})'


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a run takes, in its claim's unit, without the claim's device."""

    basis: Literal["counted", "measured", "estimated"]  # an estimate judges nothing
    parts: Annotated[Mapping[Text, Annotated[float, Gt(0)]], MinLen(1)]
    notes: tuple[Text, ...]  # how, and its limits: sentences

    @property
    def total(self) -> float:
        """Of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True, kw_only=True)
class Document:
    """The top level of claims.yaml."""

    post: Post
    baselines: Mapping[str, Any]
    claims: tuple[Any, ...]
    usage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Claims:
    """A validated claims.yaml."""

    file: Path
    post: Post
    claims: Sequence[Claim]
    baselines: Mapping[str, Baseline]  # by workload
    scores: Mapping[str, Score]  # of each workload that a claim may be of
    usage: Mapping[str, Usage] = field(default_factory=dict)  # by claim

    def readings(self, workload: str) -> list[tuple[AdviceClaim, SweepReading]]:
        """What a workload's sweeps are read for, each with its claim."""
        return [
            (claim, reading)
            for claim in self.claims
            if isinstance(claim, AdviceClaim)
            for reading in claim.sweeps
            if reading.workload == workload
        ]
