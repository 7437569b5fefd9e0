"""Writes a workload's report, and the index of all: pages, tables, claims and figures."""

import os
from collections.abc import Sequence
from pathlib import Path

from optbench.claims.publications import Publications
from optbench.claims.schema import Claims
from optbench.core.files import publish
from optbench.report import erratum, escape, gallery, inputs, tables
from optbench.report.advice import Allowance, advise
from optbench.report.caption import caption
from optbench.report.contents import Contents
from optbench.report.figures import final_score
from optbench.report.ledger import Ledger, as_json, concerning, in_markdown, ledger_of, schema
from optbench.report.links import INDEX, PAGE, Links
from optbench.report.page import index_page, report_page


def render_report(contents: Contents, folder: Path) -> None:
    """Writes the page, the table, the claims and the figures below `folder`."""
    ledger, links = ledger_of(contents.claims, [contents]), Links([contents], PAGE)
    publish(folder / "results.md", results_page(contents, links))
    publish(folder / "results.csv", tables.csv_text(contents))
    publish(folder / "results.tex", tables.latex(contents))
    publish(folder / inputs.FILE, inputs.listing([contents]))
    publish_claims(ledger, concerning(ledger, contents.name), folder, links, PAGE)
    page = report_page(
        contents,
        figures=gallery.publish_figures(contents, ledger, folder),
        ledger=ledger,
        advice=advise(contents, Allowance()),
    )
    publish(folder / PAGE, page)


def render_index(
    workloads: Sequence[Contents],
    claims: Claims,
    folder: Path,
    publications: Publications | None = None,
    reports: Path | None = None,
) -> None:
    """Writes a post's index of the workloads that were run, its claims judged on all there is.

    What was published on the claims stands beside it. The workloads' reports are below `reports`,
    else below `folder`.

    Raises:
        UsageError: a workload's report is missing, damaged, or of other inputs.
    """
    reports = reports or folder
    for contents in workloads:
        if contents.metrics:
            inputs.require_reported(contents, reports / contents.name)
    figures = {
        contents.name: gallery.published(contents, final_score, reports / contents.name)
        for contents in workloads
        if contents.metrics
    }
    stamp = inputs.stamp(workloads, publications)
    ledger = ledger_of(claims, workloads, publications)
    links = Links(workloads, os.path.relpath(reports / "{}" / PAGE, folder))
    publish_claims(ledger, ledger, folder, links, INDEX)
    publish(folder / inputs.FILE, inputs.listing(workloads, publications))
    publish(folder / "claims.schema.json", schema())
    page = index_page(
        workloads,
        ledger,
        figures,
        links=links,
        # Reports have the claims of their own index; those of another post are on its page alone.
        claim_page=Links(page=links.page if reports == folder else "").report,
        root=os.path.relpath(reports.parent, folder),
        profile=gallery.publish_profile(workloads, folder, stamp),
        evidence=gallery.publish_evidence(ledger, claims, folder, stamp),
        stamp=stamp,
    )
    publish(folder / INDEX, page)


def publish_claims(ledger: Ledger, shown: Ledger, folder: Path, links: Links, page: str) -> None:
    """Writes claims.{md,json}; `shown`: what of the ledger is on the `page` beside them."""
    publish(folder / "claims.md", in_markdown(shown, links, page))
    publish(folder / "claims.json", as_json(ledger))


def results_page(contents: Contents, links: Links) -> str:
    """The table with its caption, and the figures, in Markdown."""
    parts = [f"# {escape.markdown(contents.name)}"]
    if contents.metrics:
        parts.append(tables.markdown(tables.results(contents), page=PAGE))
        parts += map(links.paragraph, caption(contents))
    else:
        parts.append("Not run: the suite of this workload names no studies.")
    for draw in sorted(gallery.figures_of(contents), key=lambda draw: draw.__name__):
        parts.append(
            f"![{escape.markdown(gallery.alt_text(contents, draw))}](figures/{draw.__name__}.svg)"
        )
    if (claim := erratum.claim_of(contents)) is not None:
        table = tables.markdown(erratum.table(claim), page=PAGE)
        parts += [f"## {erratum.TITLE}", links.paragraph(erratum.text(claim)), table]
    parts.append(f"{inputs.stamp([contents])}.")
    return "\n\n".join(parts) + "\n"
