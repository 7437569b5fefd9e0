"""The generated parts of README, each between two marks: the verdicts, and a results table."""

from collections.abc import Mapping

from optbench.evaluation.verdict import NOT_RUN
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
from optbench.report.ledger import Entry, Ledger
from optbench.report.links import PAGE, Links, markdown_link

PAGES = f"{REPORTS}/{{}}/{PAGE}"  # of a workload, from README


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
    table = tables.markdown(tables.results(contents), page=PAGES.format(escape.url(contents.name)))
    return {
        "verdicts": verdicts(ledger, links),
        "results": "\n\n".join([table, *map(links.paragraph, notes)]),
    }


def verdicts(ledger: Ledger, links: Links) -> str:
    """What the ledger says, and the transfer evidence on the orderings in a word a workload."""
    lines = [
        f"{_judged(entry)}; transfer evidence: "
        + ", ".join(
            markdown_link(
                f"{transfer.workload} {transfer.finding}",
                f"{PAGES.format(escape.url(transfer.workload))}#claim-{escape.url(entry.id)}",
            )
            for transfer in entry.judgement.transfer
        )
        + f"; published: {_published(entry)}. So {entry.belief.word}."
        for entry in ledger.entries
        if entry.judgement.transfer and entry.kind == "ordering"
    ]
    lines += [
        f"{_judged(entry)} ({escape.markdown(entry.source)})."
        for entry in ledger.entries
        if entry.source is not None and entry.judgement.verdict != NOT_RUN
    ]
    errata = [
        f"{_judged(entry)}: {links.markdown(entry.judgement.reason)}"
        for entry in ledger.entries
        if entry.kind == "formula"
    ]
    return "\n".join([ledger.summary, "", *lines, *errata])


def _published(entry: Entry) -> str:
    """What published evidence comes to, with the way to it."""
    result = "none" if entry.published is None else entry.published.result
    if entry.published is None or not entry.published.links:
        return result
    return markdown_link(result, f"{REPORTS}/index.html#published-{escape.url(entry.id)}")


def _judged(entry: Entry) -> str:
    """A claim as an item of a list, with its verdict."""
    text = escape.paragraph(escape.markdown(entry.text))
    return f"- {text} *{entry.judgement.verdict.capitalize()}*"
