"""The generated parts of README, each between two marks: the verdicts, and a results table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tabulate import tabulate

from optbench.claims.belief import OPEN
from optbench.evaluation.text import NOTHING
from optbench.evaluation.verdict import NO_MEASURE
from optbench.report import escape, tables
from optbench.report.caption import (
    evidence_of_tuning,
    gate,
    intervals,
    pooled,
    setting,
    tuning,
)
from optbench.report.contents import REPORTS, Contents
from optbench.report.ledger import Ledger, Row, published_in_markdown, transfer_in_markdown
from optbench.report.links import INDEX, PAGE, Links, markdown_link

PAGES = f"{REPORTS}/{{}}/{PAGE}"  # of a workload, from README
ALL = f"{REPORTS}/{INDEX}"
BELIEFS = ("claim", "what to believe", "run here", "transfer", "published")
ROWS = 10  # of the results
FEW = 4  # claims of a place, each of which has its row where none is decided; else one less


def with_generated(readme: str, parts: Mapping[str, str]) -> str:
    """README's text with each part in its place, `<!-- name -->` to `<!-- /name -->`."""
    for name, part in parts.items():
        before, rest = readme.split(f"<!-- {name} -->")
        after = rest.split(f"<!-- /{name} -->")[1]
        readme = f"{before}<!-- {name} -->\n{part}\n<!-- /{name} -->{after}"
    return readme


def generated(contents: Contents, ledger: Ledger) -> dict[str, str]:
    """The parts by name; `contents` are those of the workload whose table is shown."""
    links = Links([contents], PAGES)
    notes = [
        *gate(contents), *setting(contents)[1:], *intervals(contents), *tuning(contents),
        *evidence_of_tuning(contents), *pooled(contents),
    ]  # fmt: skip
    return {
        "verdicts": verdicts(ledger, links),
        "results": "\n\n".join([*results(contents), *map(links.paragraph, notes)]),
    }


def results(contents: Contents) -> list[str]:
    """The first rows of the results, and the way to all."""
    page, table = PAGES.format(escape.url(contents.name)), tables.results(contents)
    short = tables.markdown(replace(table, rows=table.rows[:ROWS]), page=page)
    if len(table.rows) <= ROWS:
        return [short]
    every = markdown_link(f"all {len(table.rows)} arms", f"{page}#results")
    which = "first" if contents.withheld else "best"
    return [short, f"These are the {ROWS} {which}: {every}."]


def verdicts(ledger: Ledger, links: Links) -> str:
    """What to believe, as the index has it; of a place with many open claims these in a row."""
    rows: list[Sequence[str]] = []
    for place, claims in _places(ledger.rows).items():
        decided = [row for row in claims if row.belief.word not in (OPEN, NO_MEASURE)]
        rows += [_claim(row, links) for row in decided]
        rest = [row for row in claims if row not in decided]
        if len(rest) > FEW - bool(decided):
            rows.append(_together(place, rest, decided))
        else:
            rows += [_claim(row, links) for row in rest]
    table = tabulate(rows, BELIEFS, tablefmt="github", disable_numparse=True)
    return "\n\n".join([ledger.summary, table])


def _places(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Claims by their place in the post; those of others are together."""
    places: dict[str, list[Row]] = {}
    for row in rows:
        place = (
            row.claim.place.partition(",")[0]
            if row.claim.source is None
            else "known answers of others"
        )
        places.setdefault(place, []).append(row)
    return places


def _claim(row: Row, links: Links) -> Sequence[str]:
    """A row of one claim."""
    return (
        markdown_link(row.claim.text, f"{ALL}#claim-{escape.url(row.claim.id)}"),
        escape.markdown(row.belief.word),
        escape.markdown(row.judgement.verdict),
        transfer_in_markdown(row, links),
        published_in_markdown(row, ALL),
    )


def _together(place: str, rows: Sequence[Row], decided: Sequence[Row]) -> Sequence[str]:
    """A row of several claims of a place, counted; `decided`: others, a row each."""
    transfers: dict[str, list[str]] = {}
    for row in rows:
        for text in row.transfer:
            transfers.setdefault(text.workload, []).append(text.finding)
    published = [row.published.result for row in rows if row.published and row.published.sentences]
    name = f"{place}: {len(rows)} {'others' if decided else 'claims'}"
    return (
        markdown_link(name[0].upper() + name[1:], f"{ALL}#verdicts"),
        _counts(row.belief.word for row in rows),
        _counts(row.judgement.verdict for row in rows),
        "; ".join(f"{escape.markdown(w)}: {_counts(f)}" for w, f in transfers.items()) or NOTHING,
        _counts(published) or NOTHING,
    )


def _counts(words: Iterable[str]) -> str:
    """How often each word stands, the most frequent first."""
    counts = Counter(words).most_common()
    plural = {"agrees": "agree", "disagrees": "disagree"}
    return ", ".join(
        f"{count} {plural.get(word, word) if count > 1 else word}" for word, count in counts
    )
