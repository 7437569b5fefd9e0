"""The generated parts of README, each between two marks: the verdicts, and a results table."""

from collections.abc import Mapping

from optbench.report import tables
from optbench.report.caption import coverage, gate, intervals, pooled, tuning
from optbench.report.contents import Contents
from optbench.report.ledger import Ledger
from optbench.report.links import in_markdown

PAGE = "reports/{}/report.html"  # of a workload, from README


def with_generated(readme: str, parts: Mapping[str, str]) -> str:
    """README's text with each part in its place, `<!-- name -->` to `<!-- /name -->`."""
    for name, part in parts.items():
        before, rest = readme.split(f"<!-- {name} -->")
        after = rest.split(f"<!-- /{name} -->")[1]
        readme = f"{before}<!-- {name} -->\n{part}\n<!-- /{name} -->{after}"
    return readme


def generated(contents: Contents, ledger: Ledger) -> dict[str, str]:
    """The parts by name; `contents` are those of the workload whose table is shown."""
    seeds = f"{coverage(contents.suite)}; seeds {', '.join(map(str, contents.suite.seeds))}."
    notes = [
        *gate(contents), seeds, *intervals(contents), *tuning(contents), *pooled(contents),
    ]  # fmt: skip
    page = PAGE.format(contents.workload)
    return {
        "verdicts": verdicts(ledger),
        "results": "\n\n".join([tables.markdown(contents, page=page), *notes]),
    }


def verdicts(ledger: Ledger) -> str:
    """What the ledger says, and the transfer evidence on the orderings in a word a workload."""
    lines = [
        f"- {entry.text} *{entry.judgement.verdict.capitalize()}*; transfer evidence: "
        + ", ".join(
            in_markdown(
                f"{found.workload} {found.finding}",
                f"{PAGE.format(found.workload)}#claim-{entry.id}",
            )
            for found in entry.judgement.transfer
        )
        + "."
        for entry in ledger.entries
        if entry.judgement.transfer and entry.kind == "ordering"
    ]
    errata = [
        f"- {entry.text} *{entry.judgement.verdict.capitalize()}*: {entry.judgement.reason}"
        for entry in ledger.entries
        if entry.kind == "formula"
    ]
    return "\n".join([ledger.summary, "", *lines, *errata])
