"""Writes a workload's report: the table in three formats, and the figures."""

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from optbench.core.files import publish
from optbench.report import tables
from optbench.report.caption import caption
from optbench.report.contents import Contents
from optbench.report.erratum import erratum, in_markdown
from optbench.report.figures import FIGURES
from optbench.report.style import render, style

ALT_TEXT = {
    "final_accuracy": "Test accuracy of each optimizer and schedule with its 95 % interval",
    "learning_curves": "Held-out accuracy against epochs, a panel a schedule, a line an optimizer",
    "time_to_target": "Epochs to the target accuracy of each optimizer and schedule, by seed",
    "schedule_shapes": "Learning-rate factor and momentum of each schedule against progress",
}


def render_report(contents: Contents, folder: Path) -> None:
    """Writes results.{md,csv,tex} and figures/*.{svg,png} below `folder`."""
    publish(folder / "results.md", results_page(contents))
    publish(folder / "results.csv", tables.csv_text(contents))
    publish(folder / "results.tex", tables.latex(contents) + "\n")
    for name, draw in figures_of(contents).items():
        with style():
            figure = draw(contents)
        for extension in ("svg", "png"):
            publish(folder / "figures" / f"{name}.{extension}", render(figure, extension))


def figures_of(contents: Contents) -> Mapping[str, Callable[[Contents], Figure]]:
    """The figures that there is something to draw for."""
    return FIGURES if contents.cells else {"schedule_shapes": FIGURES["schedule_shapes"]}


def results_page(contents: Contents) -> str:
    """The table with its caption, and the figures, in Markdown."""
    parts = [f"# {contents.workload}"]
    if contents.cells:
        parts += [tables.markdown(contents), *caption(contents)]
    else:
        parts.append("Not run: the suite of this workload names no seeds.")
    figures = sorted(figures_of(contents))
    parts += [f"![{ALT_TEXT[name]}](figures/{name}.svg)" for name in figures]
    if "radam" in contents.suite.optimizers:
        parts += in_markdown(erratum())
    return "\n\n".join(parts) + "\n"
