"""The ledger as a reader sees it: a row a claim, and what all of it comes to."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from tabulate import tabulate

from optbench.claims import words
from optbench.claims.judgement import Judgement
from optbench.claims.ledger import judge
from optbench.claims.schema import Claim, Claims, Contrast
from optbench.evaluation import verdict
from optbench.params.schema import Grid
from optbench.report.caption import gate
from optbench.report.contents import Contents
from optbench.report.inputs import digest
from optbench.report.links import Links
from optbench.report.text import NOTHING

NUMBERS = ("estimate", "interval", "n", "test", "p")
HEADERS = ("claim", "verdict", *NUMBERS, "why", "transfer evidence", "place in the post")
# How a verdict looks; the word itself says it too.
GOOD, BAD, OPEN = "good", "bad", "open"
LOOKS = {
    verdict.REPRODUCED: GOOD, verdict.SUPPORTED: GOOD, verdict.HIGHER: BAD, verdict.LOWER: BAD,
    verdict.REFUTED: BAD, verdict.ERRATUM: BAD, verdict.UNDECIDED: OPEN,
    verdict.INCONCLUSIVE: OPEN, verdict.NOT_RUN: OPEN,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """One claim."""

    id: str
    text: str
    workload: str | None  # that it is judged on
    verdict: str
    look: str
    why: Sequence[str]
    transfer: Sequence[words.Told]
    numbers: Sequence[str]  # a cell for each of `NUMBERS`
    place: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One claim as it stands in claims.json: its own fields, null where its kind has none.

    Accuracies, their margins and differences are fractions.
    """

    id: str
    kind: str
    text: str
    place: str  # in the post
    quantity: str
    judgement: Judgement
    workload: str | None = None
    claimed: float | None = None
    margin: float | None = None
    k0: int | None = None  # runs behind the claimed value
    runs: Grid | None = None  # that judge it
    contrasts: tuple[Contrast, ...] = ()
    transfer: tuple[str, ...] = ()  # workloads
    optimizer: str | None = None
    device: str | None = None
    beta2: float | None = None
    needs: str | None = None


@dataclass(frozen=True, kw_only=True)
class File:
    """What claims.json holds."""

    inputs: Mapping[str, str]  # sha256 of the inputs of each workload that was looked at
    limits: Sequence[str]  # of what was run on them
    claims: tuple[Entry, ...]


FILE = TypeAdapter(File)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All claims."""

    rows: Sequence[Row]
    summary: str
    entries: tuple[Entry, ...]
    inputs: Mapping[str, str]  # sha256, by workload
    limits: Sequence[str]  # of what was run
    headers: Sequence[str] = NUMBERS  # of the numbers of a row


def ledger(claims: Claims, workloads: Iterable[Contents]) -> Ledger:
    """The claims judged on what was run on some workloads."""
    every = list(workloads)
    judged = judge(claims, {contents.workload: contents.evidence for contents in every})
    return of_judgements(
        claims,
        judged,
        inputs={own.workload: digest([own]) for own in every},
        limits=[sentence for own in every for sentence in gate(own)],
    )


def of_judgements(
    claims: Claims,
    judged: Sequence[Judgement],
    *,
    inputs: Mapping[str, str],
    limits: Sequence[str] = (),
) -> Ledger:
    """The claims with a judgement of each, in their order."""
    pairs = list(zip(claims.claims, judged, strict=True))
    return Ledger(
        rows=[row(claim, judgement) for claim, judgement in pairs],
        summary=summary(judged),
        entries=tuple(Entry(**vars(claim), judgement=judgement) for claim, judgement in pairs),
        inputs=inputs,
        limits=limits,
    )


def as_json(found: Ledger) -> str:
    """The ledger for programs; `schema` describes it."""
    file = File(inputs=found.inputs, limits=found.limits, claims=found.entries)
    return FILE.dump_json(file, indent=2).decode() + "\n"


def schema() -> str:
    """The JSON Schema of what `as_json` gives."""
    return json.dumps(FILE.json_schema(), indent=2) + "\n"


def in_markdown(found: Ledger, links: Links) -> str:
    """The ledger as a page of Markdown."""
    rows = [
        (
            *(row.text, row.verdict, *row.numbers),
            links(" ".join(row.why), row.workload),
            " ".join(links(told.text, told.workload) for told in row.transfer) or NOTHING,
            row.place,
        )
        for row in found.rows
    ]
    table = tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True)
    inputs = "\n".join(f"- {name}: sha256 {own}" for name, own in found.inputs.items())
    parts = ["# Ledger of claims", found.summary, *found.limits, table, "Inputs:", inputs]
    return "\n\n".join(parts) + "\n"


def row(claim: Claim, judgement: Judgement) -> Row:
    """A claim and its judgement in words."""
    quantity = vars(claim)["quantity"]
    return Row(
        id=claim.id,
        text=claim.text,
        workload=getattr(claim, "workload", None),
        verdict=judgement.verdict,
        look=LOOKS[judgement.verdict],
        why=[judgement.reason, *judgement.notes],
        transfer=[words.transferred(found, quantity) for found in judgement.transfer],
        numbers=numbers(judgement, quantity),
        place=claim.place,
    )


def numbers(judgement: Judgement, quantity: str) -> Sequence[str]:
    """The cells of `NUMBERS`, each a dash where there is nothing to tell."""
    estimate = interval = NOTHING
    if judgement.estimate is not None:
        unit = words.UNITS[quantity]
        estimate = unit.text(judgement.estimate)
        if judgement.low is not None and judgement.high is not None:
            level = 95 if judgement.contrasts else 90
            interval = f"{unit.interval(judgement.low, judgement.high)} ({level} %)"
    n = words.both(judgement.n) or NOTHING
    return estimate, interval, n, judgement.test or NOTHING, p_value(judgement)


def summary(judged: Sequence[Judgement]) -> str:
    """How many claims have which verdict."""
    counts = Counter(judgement.verdict for judgement in judged)
    listed = ", ".join(f"{counts[name]} {name}" for name in LOOKS if counts[name])
    return f"Of {len(judged)} claims of the post: {listed}."


def p_value(judgement: Judgement) -> str:
    """The p value that counts, corrected where it is one of a family."""
    if judgement.p_corrected is not None:
        return f"{judgement.p_corrected:.2g} (Holm)"
    return NOTHING if judgement.p is None else f"{judgement.p:.2g}"
