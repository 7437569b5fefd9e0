"""The shape of a post's published.yaml, what others measured; how it is read and validated."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, MinLen

from optbench.claims.load import check_possible
from optbench.claims.schema import (
    EPOCHS,
    SCORE,
    AdviceClaim,
    Claim,
    Claims,
    OrderingClaim,
    RatioClaim,
    Text,
    Url,
    ValueClaim,
)
from optbench.core.arm import Arm
from optbench.params.check import Checker
from optbench.params.document import read_yaml
from optbench.params.messages import DocumentError

PUBLICATIONS = Path("evidence/published.yaml")
BY_TEST = "by test"


class PublicationsError(DocumentError):
    """What others measured cannot be used."""

    way_out = (
        "No claim was held against it: mend {file}, or take it back with `git restore {file}`."
    )


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where figures stand, and how they were checked there."""

    name: Text
    url: Url
    place: Text  # in it
    checked: Literal["read", "excerpt", "computed"]
    proposes: tuple[str, ...] = ()  # methods, which it advertises


@dataclass(frozen=True, kw_only=True)
class Decay:
    """Weight decay; null where it is unstated."""

    form: Literal["L2", "decoupled"] | None
    value: Annotated[float, Ge(0)] | None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure as its source prints it; null where the source does not say."""

    claims: Annotated[tuple[str, ...], MinLen(1)]  # that it bears on
    source: str
    network: Text
    dataset: Text
    epochs: Annotated[float, Gt(0)] | None
    batch: Annotated[int, Gt(0)] | None
    optimizer: str
    schedule: str | None
    decay: Decay | None
    tuned: Literal["untuned", "unstated", "by validation", "by test", "criterion unstated"]
    quantity: Literal["score", "step_time_ratio", "epochs_to_target"]
    mean: float  # a score as the workload's task stores it
    sd: Annotated[float, Ge(0)] | None  # over seeds
    seeds: Annotated[int, Gt(0)] | None
    epoch: Literal["last", "best", "unstated"]  # the best by test
    reading: Text  # ours, in a line
    name: Text | None = None  # what the source calls the optimizer, where that differs
    detail: Text | None = None  # what else sets it apart within its source
    follows: bool | None = None  # of advice on a value: whether it is followed


@dataclass(frozen=True, kw_only=True)
class Document:
    """The top level of published.yaml."""

    sources: Mapping[str, Any]
    figures: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Publications:
    """A validated published.yaml."""

    file: Path
    sources: Mapping[str, Source]
    figures: Sequence[Figure]
    sha256: str  # of the file


def load_publications(claims: Claims, path: Path = PUBLICATIONS) -> Publications:
    """Reads and validates what others measured, whose figures are of these claims.

    Raises:
        PublicationsError: the file is not usable; the message holds every problem that is there.
    """
    checker = Checker()
    refusal = partial(PublicationsError, file=path)
    document = checker.parse(Document, (), read_yaml(path, refusal=refusal))
    if document is None:
        raise refusal(checker.problems)
    sources = checker.parse_each(Source, "sources", document.sources)
    figures = checker.parse_each(Figure, "figures", document.figures)
    by_id = {claim.id: claim for claim in claims.claims}
    for key, figure in figures.items():
        path_of = f"figures.{key}"
        if checker.choice("source", figure.source, f"{path_of}.source", document.sources):
            _check_own_method(checker, path_of, figure, sources.get(figure.source))
        checker.name("optimizers", figure.optimizer, f"{path_of}.optimizer")
        if figure.schedule is not None:
            checker.name("schedules", figure.schedule, f"{path_of}.schedule")
        if figure.sd is not None and figure.seeds == 1:
            checker.add(f"{path_of}.sd: got {figure.sd}: one run has no spread: write null")
        checker.unique(f"{path_of}.claims", figure.claims)
        for name in figure.claims:
            if checker.choice("claim", name, f"{path_of}.claims", by_id):
                _check_bearing(checker, path_of, figure, by_id[name], claims)
    if checker.problems:
        raise refusal(checker.problems)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Publications(file=path, sources=sources, figures=[*figures.values()], sha256=sha256)


def _check_own_method(checker: Checker, path: str, figure: Figure, source: Source | None) -> None:
    """A figure is of a method that its source does not propose."""
    name = figure.name or figure.optimizer
    if source is not None and name in source.proposes:
        checker.add(f"{path}: {name} is its source's own method, which it advertises: remove it")


def _check_bearing(
    checker: Checker, path: str, figure: Figure, claim: Claim, claims: Claims
) -> None:
    """A figure can speak for or against the claim."""
    kinds = ValueClaim | RatioClaim | OrderingClaim | AdviceClaim
    if not isinstance(claim, kinds) or vars(claim).get("no_measure"):
        kind = "claim of no measure" if isinstance(claim, kinds) else vars(claim)["kind"]
        checker.add(f"{path}.claims: got '{claim.id}': no figure speaks of a {kind}: remove it")
        return
    if is_of_value(claim) and figure.follows is None:
        checker.add(
            f"{path}.follows is missing: {claim.id} is advice on a value: add true or false"
        )
    is_order = isinstance(claim, OrderingClaim | AdviceClaim)
    quantities = (SCORE, EPOCHS) if is_order else (claim.quantity,)
    if figure.quantity not in quantities:
        checker.add(
            f"{path}.quantity: got '{figure.quantity}': {claim.id} is of "
            f"{' or '.join(quantities)}: name that, or remove the claim"
        )
    known = _optimizers(claim)
    if known and figure.optimizer not in known:
        checker.add(
            f"{path}.optimizer: got '{figure.optimizer}': {claim.id} is of {' and '.join(known)}: "
            "name one of them, or remove the claim"
        )
    if figure.quantity == SCORE:
        check_possible(checker, f"{path}.mean", figure.mean, claims.scores[claim.workload])


def _optimizers(claim: Claim) -> list[str]:
    """Those that a claim names by arms."""
    match claim:
        case ValueClaim():
            arms = [Arm.of(claim.arm)]
        case OrderingClaim() | AdviceClaim():
            arms = [arm for contrast in claim.contrasts for arm in contrast.arms]
        case _:
            arms = []
    return list(dict.fromkeys(arm.optimizer for arm in arms))


def is_of_value(claim: Claim) -> bool:
    """Whether it advises a value, which a run follows or not."""
    return isinstance(claim, AdviceClaim) and not claim.contrasts
