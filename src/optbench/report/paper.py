"""A short paper with the reports' tables and figures, set by Typst."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typst

from optbench.core.files import publish
from optbench.report import tables
from optbench.report.advice import Budget, advise
from optbench.report.caption import caption, power
from optbench.report.contents import Contents
from optbench.report.figures import performance_profile
from optbench.report.inputs import stamp
from optbench.report.ledger import Ledger
from optbench.report.page import (
    COST_HEADERS,
    TARGET_HEADERS,
    cost_rows,
    headline,
    target_rows,
    template,
)
from optbench.report.render import ALT_TEXT, figures_of

TITLE = "Which optimizer should I train with, and does the published comparison hold?"


def publish_paper(workloads: Sequence[Contents], ledger: Ledger, folder: Path) -> None:
    """Writes paper.typ and paper.pdf; the figures are those below `folder`, rendered before."""
    source = folder / "paper.typ"
    publish(source, paper_source(workloads, ledger))
    publish(folder / "paper.pdf", typst.compile(source, root=folder))


def paper_source(workloads: Sequence[Contents], ledger: Ledger) -> str:
    """The paper in Typst's language. All text goes in as string literals."""
    paper = template("paper.typ", quote=json.dumps)
    return paper.render(
        title=TITLE,
        ledger=ledger,
        workloads=[chapter(contents) for contents in workloads if contents.cells],
        profile=(performance_profile.__name__, ALT_TEXT[performance_profile.__name__]),
    )


def chapter(contents: Contents) -> dict[str, Any]:
    """What the paper says of a workload."""
    advice = advise(contents, Budget())
    tables_of = [
        ("Results", tables.HEADERS, tables.results_rows(contents)),
        ("Time to target", TARGET_HEADERS, target_rows(contents)),
        ("Cost of a step", COST_HEADERS, cost_rows(contents)),
        ("Which optimizer to use", advice.headers, advice.rows),
    ]
    return {
        "name": contents.workload,
        "sentences": [headline(contents), *advice.sentences],
        "tables": [table for table in tables_of if table[2]],
        "notes": [
            *(note.replace("\\*", "*") for note in caption(contents)),
            *power(contents),
            f"{stamp([contents])}.",
        ],
        "figures": [(name, ALT_TEXT[name]) for name in figures_of(contents)],
    }
