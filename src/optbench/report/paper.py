"""A short paper with the reports' tables and figures, set by Typst."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import typst

from optbench.core.files import publish
from optbench.report import escape, tables
from optbench.report.advice import Allowance, advise, by_budget
from optbench.report.caption import caption, power
from optbench.report.contents import Contents
from optbench.report.figures import performance_profile
from optbench.report.gallery import PROFILE_ALT_TEXT, alt_text, figures_of
from optbench.report.headline import headline
from optbench.report.inputs import stamp
from optbench.report.ledger import Ledger
from optbench.report.page import template

TITLE = "Which optimizer should I train with, and does the published comparison hold?"


def publish_paper(workloads: Sequence[Contents], ledger: Ledger, folder: Path) -> None:
    """Writes paper.typ and paper.pdf; the figures are those below `folder`, rendered before."""
    source = folder / "paper.typ"
    publish(source, paper_source(workloads, ledger))
    fonts = Path(mpl.get_data_path()) / "fonts/ttf"  # of the figures' texts
    publish(folder / "paper.pdf", typst.compile(source, root=folder, font_paths=[fonts]))


def paper_source(workloads: Sequence[Contents], ledger: Ledger) -> str:
    """The paper in Typst's language. All text goes in as string literals."""
    return template("paper.typ", quote=escape.typst).render(
        title=TITLE,
        ledger=ledger,
        workloads=[chapter(contents) for contents in workloads if contents.metrics],
        profile=(performance_profile.__name__, PROFILE_ALT_TEXT),
    )


def chapter(contents: Contents) -> dict[str, Any]:
    """What the paper says of a workload."""
    advice = advise(contents, Allowance())
    every = [tables.results(contents), tables.targets(contents), tables.costs(contents)]
    if advice.table is not None:
        every.append(advice.table)
    return {
        "name": contents.name,
        "by_budget": by_budget(contents),
        "sentences": [headline(contents), *advice.sentences],
        "tables": [table for table in every if table.rows],
        "notes": [*caption(contents), *power(contents), f"{stamp([contents])}."],
        "figures": [(draw.__name__, alt_text(contents, draw)) for draw in figures_of(contents)],
    }
