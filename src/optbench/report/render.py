"""Writes a workload's report: the page, the table in three formats, and the figures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from optbench.claims.schema import Claims
from optbench.core.files import publish
from optbench.report import inputs, tables
from optbench.report.advice import Budget, advise
from optbench.report.caption import caption, power
from optbench.report.contents import Contents
from optbench.report.erratum import erratum, paragraphs
from optbench.report.figures import (
    FIGURES,
    accuracy_differences,
    final_accuracy,
    performance_profile,
)
from optbench.report.ledger import Ledger, as_json, ledger, schema
from optbench.report.ledger import in_markdown as claims_page
from optbench.report.links import Links, in_markdown
from optbench.report.page import Drawn, index_page, inline, report_page
from optbench.report.style import render, style

PAGE = "report.html"
ALT_TEXT = {
    "final_accuracy": "Test accuracy of each optimizer and schedule with its 95 % interval",
    "learning_curves": "Held-out accuracy against epochs, a panel a schedule, a line an optimizer",
    "accuracy_differences": (
        "Forest plot of differences in accuracy: the ledger's contrasts, and the rest against SGD's"
    ),
    "time_to_target": "Epochs to the target accuracy of each optimizer and schedule, by seed",
    "cost_against_accuracy": "Test accuracy against the time of a step beside SGD's",
    "performance_profile": (
        "Fraction of the targets that all were run on, reached within tau times the best's epochs"
    ),
    "schedule_shapes": "Learning-rate factor and momentum of each schedule against progress",
}


def render_report(contents: Contents, claims: Claims, folder: Path) -> None:
    """Writes the page, the table, the claims and the figures below `folder`."""
    publish(folder / "results.md", results_page(contents))
    publish(folder / "results.csv", tables.csv_text(contents))
    publish(folder / "results.tex", tables.latex(contents))
    publish(folder / inputs.FILE, inputs.listing([contents]))
    drawn = []
    for name, draw in figures_of(contents).items():
        with style():
            figure = draw(contents)
        svg = publish_figure(figure, folder, name, [contents])
        drawn.append(drawn_by(draw, svg))
    judged = ledger(claims, [contents])
    publish_claims(judged, folder, Links([contents], in_markdown, PAGE))
    page = report_page(
        contents,
        figures=drawn,
        ledger=judged,
        advice=advise(contents, Budget()),
        power=power(contents),
    )
    publish(folder / PAGE, page)


def render_index(workloads: Sequence[Contents], claims: Claims, folder: Path) -> None:
    """Writes the index of the workloads that were run, and the claims judged on all there is."""
    figures, run = {}, [contents for contents in workloads if contents.cells]
    for contents in run:
        svg = (folder / contents.workload / f"figures/{final_accuracy.__name__}.svg").read_bytes()
        name = f"{contents.workload}-{final_accuracy.__name__}"
        figures[contents.workload] = drawn_by(final_accuracy, svg, name=name)
    with style():
        profile = performance_profile(run)
    svg = publish_figure(profile, folder, performance_profile.__name__, workloads)
    judged = ledger(claims, workloads)
    publish_claims(judged, folder, Links(run, in_markdown))
    publish(folder / inputs.FILE, inputs.listing(workloads))
    publish(folder / "claims.schema.json", schema())
    publish(
        folder / "index.html",
        index_page(workloads, judged, figures, drawn_by(performance_profile, svg)),
    )


def publish_figure(figure: Figure, folder: Path, name: str, workloads: Sequence[Contents]) -> bytes:
    """Writes figures/<name>.{svg,png,pdf} with the digest of what they show; returns the SVG."""
    stamp = inputs.stamp(workloads)
    files = {kind: render(figure, kind, stamp=stamp) for kind in ("svg", "png", "pdf")}
    for kind, content in files.items():
        publish(folder / "figures" / f"{name}.{kind}", content)
    return files["svg"]


def publish_claims(judged: Ledger, folder: Path, links: Links) -> None:
    """Writes claims.{md,json}."""
    publish(folder / "claims.md", claims_page(judged, links))
    publish(folder / "claims.json", as_json(judged))


def drawn_by(function: Callable[..., Figure], svg: bytes, *, name: str | None = None) -> Drawn:
    """A figure as an element of a page, where it is called `name`, or as its function is."""
    name, alt = name or function.__name__, ALT_TEXT[function.__name__]
    return Drawn(
        name=name,
        svg=inline(svg, name=name, alt=alt),
        alt=alt,
        function=f"{function.__module__}.{function.__name__}",
        source=f"src/{function.__module__.replace('.', '/')}.py",
    )


def figures_of(contents: Contents) -> Mapping[str, Callable[[Contents], Figure]]:
    """The figures that there is something to draw for; differences need two seeds and a ranking."""
    if not contents.cells:
        return {"schedule_shapes": FIGURES["schedule_shapes"]}
    several = len(contents.suite.seeds) > 1 and not contents.withheld
    return {
        name: draw for name, draw in FIGURES.items() if several or draw is not accuracy_differences
    }


def results_page(contents: Contents) -> str:
    """The table with its caption, and the figures, in Markdown."""
    parts = [f"# {contents.workload}"]
    if contents.cells:
        parts += [tables.markdown(contents, page=PAGE), *caption(contents)]
    else:
        parts.append("Not run: the suite of this workload names no seeds.")
    figures = sorted(figures_of(contents))
    parts += [f"![{ALT_TEXT[name]}](figures/{name}.svg)" for name in figures]
    if "radam" in contents.suite.optimizers:
        parts += paragraphs(erratum())
    parts.append(f"{inputs.stamp([contents])}.")
    return "\n\n".join(parts) + "\n"
