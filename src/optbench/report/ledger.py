"""The ledger as a reader sees it: a row a claim, and what all of it comes to."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from tabulate import tabulate

from optbench.claims import words
from optbench.claims.judgement import Judgement
from optbench.claims.ledger import judge
from optbench.claims.schema import SHAPES, Claim, Claims
from optbench.evaluation import verdict
from optbench.report.contents import Contents
from optbench.report.text import NOTHING

HEADERS = ("claim", "verdict", "why", "transfer evidence", "n", "p", "place in the post")
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
    verdict: str
    look: str
    why: Sequence[str]
    transfer: Sequence[str]
    n: str
    p: str
    place: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One claim as it stands in claims.json: differences are fractions, or epochs saved."""

    id: str
    kind: str
    text: str
    place: str  # in the post
    judgement: Judgement


ENTRIES = TypeAdapter(tuple[Entry, ...])


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All claims."""

    rows: Sequence[Row]
    summary: str
    entries: tuple[Entry, ...]


def ledger(claims: Claims, workloads: Iterable[Contents]) -> Ledger:
    """The claims judged on what was run on some workloads."""
    evidence = {contents.workload: contents.evidence for contents in workloads}
    return of_judgements(claims, judge(claims, evidence))


def of_judgements(claims: Claims, judged: Sequence[Judgement]) -> Ledger:
    """The claims with a judgement of each, in their order."""
    pairs = list(zip(claims.claims, judged, strict=True))
    return Ledger(
        rows=[row(claim, judgement) for claim, judgement in pairs],
        summary=summary(judged),
        entries=tuple(
            Entry(id=c.id, kind=kind(c), text=c.text, place=c.place, judgement=j) for c, j in pairs
        ),
    )


def kind(claim: Claim) -> str:
    """The kind as claims.yaml names it."""
    return next(name for name, shape in SHAPES.items() if isinstance(claim, shape))


def as_json(found: Ledger) -> str:
    """The ledger for programs; `schema` describes it."""
    return ENTRIES.dump_json(found.entries, indent=2).decode() + "\n"


def schema() -> str:
    """The JSON Schema of what `as_json` gives."""
    return json.dumps(ENTRIES.json_schema(), indent=2) + "\n"


def in_markdown(found: Ledger) -> str:
    """The ledger as a page of Markdown."""
    rows = [
        (r.text, r.verdict, " ".join(r.why), " ".join(r.transfer) or NOTHING, r.n, r.p, r.place)
        for r in found.rows
    ]
    table = tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True)
    return f"# Ledger of claims\n\n{found.summary}\n\n{table}\n"


def row(claim: Claim, judgement: Judgement) -> Row:
    """A claim and its judgement in words."""
    quantity = vars(claim)["quantity"]
    return Row(
        id=claim.id,
        text=claim.text,
        verdict=judgement.verdict,
        look=LOOKS[judgement.verdict],
        why=[judgement.reason, *judgement.notes],
        transfer=[
            words.transferred(found, vars(claim)["quantity"]) for found in judgement.transfer
        ],
        n=words.both(judgement.n) or NOTHING,
        p=p_value(judgement),
        place=claim.place,
    )


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
