"""A short paper with the reports' tables and figures, set by Typst."""

import json
from collections.abc import Sequence
from pathlib import Path

import typst

from optbench.core.files import publish
from optbench.report import tables
from optbench.report.advice import Budget, advise
from optbench.report.caption import caption
from optbench.report.contents import Contents
from optbench.report.inputs import stamp
from optbench.report.ledger import Ledger
from optbench.report.page import headline, template
from optbench.report.render import ALT_TEXT, figures_of

TITLE = "Which optimizer should I train with, and does the published comparison hold?"


def publish_paper(workloads: Sequence[Contents], ledger: Ledger, folder: Path) -> None:
    """Writes paper.typ and paper.pdf; the figures are those below `folder`, rendered before."""
    source = folder / "paper.typ"
    publish(source, paper_source(workloads, ledger))
    publish(folder / "paper.pdf", typst.compile(source, root=folder))


def paper_source(workloads: Sequence[Contents], ledger: Ledger) -> str:
    """The paper in Typst's language. All text goes in as string literals."""
    parts = [
        (
            contents,
            headline(contents),
            tables.HEADERS,
            tables.results_rows(contents),
            [*(note.replace("\\*", "*") for note in caption(contents)), f"{stamp([contents])}."],
            advise(contents, Budget()).sentences,
            [(name, ALT_TEXT[name]) for name in figures_of(contents)],
        )
        for contents in workloads
        if contents.cells
    ]
    paper = template("paper.typ", quote=json.dumps)
    return paper.render(title=TITLE, ledger=ledger, workloads=parts)
