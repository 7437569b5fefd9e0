"""The ledger as a reader sees it: a row a claim, and what all of it comes to."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter
from tabulate import tabulate

from optbench.claims import words
from optbench.claims.belief import Belief, belief_in
from optbench.claims.judge import Verdicts, judge
from optbench.claims.judgement import Judgement, Sentence
from optbench.claims.publications import Publications
from optbench.claims.published import Published, published_on
from optbench.claims.schema import (
    Claim,
    Claims,
    Contrast,
    EquivalenceClaim,
    Post,
    SweepReading,
)
from optbench.core.prose import Prose
from optbench.core.score import Score
from optbench.evaluation import verdict
from optbench.evaluation.text import NOTHING, counted
from optbench.report import escape
from optbench.report.caption import gate
from optbench.report.contents import Contents
from optbench.report.inputs import digest
from optbench.report.links import Links, markdown_link
from optbench.report.published import PublishedText, published_text

NUMBERS = ("estimate", "interval", "n", "test", "p")
PUBLISHED = "published evidence"
HEADERS = ("claim", "verdict", "why", "transfer evidence", PUBLISHED, "what to believe", "place")
# How a verdict looks; the word itself says it too.
GOOD, BAD, OPEN = "good", "bad", "open"
LOOKS = {
    verdict.REPRODUCED: GOOD, verdict.SUPPORTED: GOOD, verdict.HIGHER: BAD, verdict.LOWER: BAD,
    verdict.REFUTED: BAD, verdict.ERRATUM: BAD, verdict.UNDECIDED: OPEN,
    verdict.INCONCLUSIVE: OPEN, verdict.NO_MEASURE: OPEN,
    verdict.NOT_RUN: OPEN,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """One claim, what is held of it, and that in words."""

    claim: Claim
    judgement: Judgement
    on: Published | None  # what was published on it; None: it was not looked at
    belief: Belief
    look: str  # of the verdict
    why: Prose  # the verdict's reason, and what was pooled, missing, diverged
    transfer: Sequence[words.TransferText]  # of workloads that say something
    numbers: Sequence[str]  # a cell for each of `NUMBERS`
    published: PublishedText | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One claim as it stands in claims.json: its own fields, null where its kind has none.

    Scores, their margins and differences are as the workload's task stores them.
    """

    id: str
    kind: str
    text: str
    place: str  # in the source
    source: str | None  # None: the post
    quantity: str
    judgement: Judgement
    belief: Belief
    workload: str | None = None
    claimed: float | None = None
    margin: float | None = None
    k0: int | None = None  # runs behind the claimed value
    arm: str | None = None  # whose value it is
    studies: tuple[int, ...] = ()  # that judge it; else all
    contrast: Contrast | None = None
    contrasts: tuple[Contrast, ...] = ()
    transfer: tuple[str, ...] = ()  # workloads
    sweeps: tuple[SweepReading, ...] = ()
    optimizer: str | None = None
    device: str | None = None
    beta2: float | None = None
    needs: str | None = None
    no_measure: str | None = None
    published: Published | None = None  # no part of the judgement; null: it was not looked at


@dataclass(frozen=True, kw_only=True)
class File:
    """What claims.json holds."""

    post: Post
    inputs: Mapping[str, str]  # sha256 of the inputs of each workload that was looked at
    limits: Sequence[Sentence]  # of what was run on them
    claims: tuple[Entry, ...]


FILE = TypeAdapter(File)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All claims of a post, judged on what was run on some workloads."""

    post: Post
    verdicts: Verdicts
    rows: Sequence[Row]
    summary: str
    inputs: Mapping[str, str]  # sha256, by workload
    limits: Sequence[str | Prose]  # of what was run
    headers: Sequence[str] = NUMBERS  # of the numbers of a row

    @property
    def has_published(self) -> bool:
        """Whether published evidence was looked at."""
        return any(row.published is not None for row in self.rows)


def ledger_of(
    claims: Claims, workloads: Iterable[Contents], publications: Publications | None = None
) -> Ledger:
    """The claims judged on what was run on some workloads, and beside it what was published."""
    every = list(workloads)
    return of_verdicts(
        claims,
        judge(claims, {contents.name: contents.evidence for contents in every}),
        inputs={contents.name: digest([contents]) for contents in every},
        limits=gate(*every),
        published=None if publications is None else published_on(claims, publications),
    )


def of_verdicts(
    claims: Claims,
    verdicts: Verdicts,
    *,
    inputs: Mapping[str, str],
    limits: Sequence[str | Prose] = (),
    published: Mapping[str, Published] | None = None,
) -> Ledger:
    """The claims with a judgement of each, in their order; `published`: by claim."""
    on, pairs = published or {}, zip(claims.claims, verdicts.judgements, strict=True)
    rows = [row(claim, judgement, claims, on.get(claim.id)) for claim, judgement in pairs]
    return Ledger(
        post=claims.post,
        verdicts=verdicts,
        rows=rows,
        summary=summary(rows),
        inputs=inputs,
        limits=limits,
    )


def concerning(ledger: Ledger, workload: str) -> Ledger:
    """The ledger, without claims of other workloads of which this one tells nothing."""
    rows = [
        row
        for row in ledger.rows
        if getattr(row.claim, "workload", None) in (workload, None)
        or workload in [text.workload for text in row.transfer]
    ]
    return replace(ledger, rows=rows, summary=summary(rows, teller=workload))


def as_json(ledger: Ledger) -> str:
    """The ledger for programs; `schema` describes it."""
    entries = [
        Entry(**vars(row.claim), judgement=row.judgement, belief=row.belief, published=row.on)
        for row in ledger.rows
    ]
    limits = [Prose.of(limit) for limit in ledger.limits]
    file = File(post=ledger.post, inputs=ledger.inputs, limits=limits, claims=tuple(entries))
    return FILE.dump_json(file, indent=2).decode() + "\n"


def schema() -> str:
    """The JSON Schema of what `as_json` gives."""
    return json.dumps(FILE.json_schema(), indent=2) + "\n"


def in_markdown(ledger: Ledger, links: Links, page: str) -> str:
    """The ledger as a page of Markdown, in short; a row leads to all of it on the `page`."""
    rows = [
        (
            markdown_link(row.claim.text, f"{page}#claim-{escape.url(row.claim.id)}"),
            escape.markdown(row.judgement.verdict),
            links.markdown(row.judgement.reason),
            transfer_in_markdown(row, links),
            *([published_in_markdown(row, page)] if ledger.has_published else []),
            escape.markdown(row.belief.word),
            escape.markdown(", ".join(filter(None, (row.claim.source, row.claim.place)))),
        )
        for row in ledger.rows
    ]
    headers = [name for name in HEADERS if name != PUBLISHED or ledger.has_published]
    table = tabulate(rows, headers, tablefmt="github", disable_numparse=True)
    inputs = "\n".join(
        f"- {escape.markdown(name)}: sha256 {sha256}" for name, sha256 in ledger.inputs.items()
    )
    limits = map(links.paragraph, ledger.limits)
    title = f"# Ledger of claims: {escape.markdown(ledger.post.name)}"
    parts = [title, escape.markdown(ledger.summary), *limits, table, "Inputs:", inputs]
    return "\n\n".join(parts) + "\n"


def transfer_in_markdown(row: Row, links: Links) -> str:
    """What smaller workloads say of a claim, in a word each, with the way to their reports."""
    listed = [
        markdown_link(f"{text.workload} {text.finding}", links.claim(text.workload, row.claim.id))
        for text in row.transfer
    ]
    return ", ".join(listed) or NOTHING


def published_in_markdown(row: Row, page: str) -> str:
    """What others published on a claim, in a word, with the way to their figures on the page."""
    if row.published is None or not row.published.sentences:
        return NOTHING
    return markdown_link(row.published.result, f"{page}#published-{escape.url(row.claim.id)}")


def row(
    claim: Claim, judgement: Judgement, claims: Claims, published: Published | None = None
) -> Row:
    """A claim and its judgement in words, and what was published on it."""
    quantity, workload = vars(claim)["quantity"], getattr(claim, "workload", None)
    score = None if workload is None else claims.scores[workload]
    return Row(
        claim=claim,
        judgement=judgement,
        on=published,
        belief=belief_in(judgement, published),
        look=LOOKS[judgement.verdict],
        why=Prose.join(" ", [judgement.reason, *judgement.notes]),
        transfer=[
            words.transferred(transfer, quantity=quantity, score=claims.scores[transfer.workload])
            for transfer in judgement.transfer
            if transfer.finding != verdict.NOT_RUN
        ],
        numbers=numbers(claim, judgement, score),
        published=None if published is None else published_text(published, claim, claims),
    )


def unit_of(claim: Claim, judgement: Judgement, score: Score | None) -> words.Unit:
    """That of a judgement's estimate: of two arms, the first's advantage."""
    quantity = vars(claim)["quantity"]
    is_advantage = bool(judgement.contrasts) or isinstance(claim, EquivalenceClaim)
    if is_advantage and score is not None:
        return words.advantage_unit(quantity, score)
    return words.unit_of(quantity, score)


def numbers(claim: Claim, judgement: Judgement, score: Score | None) -> Sequence[str]:
    """The cells of `NUMBERS`, each a dash where there is nothing to tell."""
    estimate = interval = NOTHING
    if judgement.estimate is not None:
        unit = unit_of(claim, judgement, score)
        estimate = unit.text(judgement.estimate)
        if judgement.low is not None and judgement.high is not None:
            level = 95 if judgement.contrasts else 90
            interval = f"{unit.interval(judgement.low, judgement.high)} ({level} %)"
    n = words.both(judgement.n) or NOTHING
    return estimate, interval, n, judgement.test or NOTHING, p_value(judgement)


def summary(rows: Sequence[Row], *, teller: str | None = None) -> str:
    """How many claims of the post, and how many known answers of others, have which verdict.

    `teller`: the workload, where they are those of which it tells alone.
    """
    sentences, scope = [], "" if teller is None else f" of which {teller} tells"
    for is_post, kind, whose in (
        (True, "claim", "of the post"),
        (False, "known answer", "of others"),
    ):
        of_source = [row.judgement.verdict for row in rows if (row.claim.source is None) == is_post]
        counts = Counter(of_source)
        listed = ", ".join(f"{counts[name]} {name}" for name in LOOKS if counts[name])
        if of_source:
            sentences.append(f"Of {counted(len(of_source), kind)} {whose}{scope}: {listed}.")
    return " ".join(sentences)


def p_value(judgement: Judgement) -> str:
    """The p value that counts, corrected where it is one of a family."""
    if judgement.p_corrected is not None:
        return f"{judgement.p_corrected:.2g} (Holm)"
    return NOTHING if judgement.p is None else f"{judgement.p:.2g}"
