"""Which figures a report has, what each shows in words, and their files."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from optbench.claims.schema import Claims
from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.run import WORKLOADS
from optbench.report import inputs
from optbench.report.contents import Contents
from optbench.report.curves import learning_curves, schedule_shapes
from optbench.report.figures import (
    cost_against_score,
    final_score,
    performance_profile,
    time_to_target,
)
from optbench.report.forest import score_differences
from optbench.report.ledger import Ledger
from optbench.report.published_forest import published_evidence
from optbench.report.sensitivity import expected_scores, trial_scores
from optbench.report.style import KINDS, render, style
from optbench.report.svg import inline
from optbench.report.sweeps import swept_scores

Draw = Callable[..., Figure]
ALT_TEXT: Mapping[Draw, str] = {
    final_score: "Test {score} of each optimizer and schedule with its 95 % interval",
    learning_curves: "Held-out {score} against epochs, panels by schedule, a line an optimizer",
    score_differences: (
        "Forest plot of differences in {score}: the ledger's contrasts, and the rest against SGD's"
    ),
    expected_scores: (
        "Expected test {score} of the best of so many trials by validation, a line an optimizer"
    ),
    trial_scores: "Validation {score} of each trial against its step size, a panel an optimizer",
    swept_scores: "Test {score} against an argument's values, a panel a sweep, a line an arm",
    time_to_target: "Epochs to the target {score} of each optimizer and schedule, by study",
    cost_against_score: "Test {score} against the time of a step beside SGD's",
    schedule_shapes: "Learning-rate factor and momentum of each schedule against progress",
}
PROFILE_ALT_TEXT = (
    "Fraction of the targets that all were run on, reached within tau times the best's epochs"
)
EVIDENCE_ALT_TEXT = "Forest plot of the post's, others' published and our figures on: {claim}"


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure as it goes into a page."""

    name: str
    svg: str
    alt: str
    function: str  # that draws it, as a dotted name
    source: str  # its file, from the project's root


def figures_of(contents: Contents) -> list[Draw]:
    """What draws the figures for which there is something to draw."""
    if not contents.metrics:
        return [schedule_shapes]
    left_out: set[Draw] = set()
    if len(contents.numbers) < 2 or contents.withheld:
        left_out.add(score_differences)
    if not contents.tunings:
        left_out |= {expected_scores, trial_scores}
    if not contents.sweeps:
        left_out.add(swept_scores)
    return [draw for draw in ALT_TEXT if draw not in left_out]


def alt_text(contents: Contents, draw: Draw) -> str:
    """What a figure shows, for those who cannot see it."""
    return ALT_TEXT[draw].format(score=contents.score.name)


def publish_figures(contents: Contents, ledger: Ledger, folder: Path) -> list[Drawn]:
    """Writes a report's figures; `ledger`: judged on these contents."""
    stamp = inputs.stamp([contents])
    return [
        drawing(
            draw, contents, *([ledger.verdicts] if draw is score_differences else []),
            name=draw.__name__, alt=alt_text(contents, draw), stamp=stamp, folder=folder,
        )
        for draw in figures_of(contents)
    ]  # fmt: skip


def publish_profile(workloads: Sequence[Contents], folder: Path, stamp: str) -> Drawn:
    """Writes the performance profile of the workloads that were run; `stamp`: of the index."""
    return drawing(
        performance_profile, [contents for contents in workloads if contents.metrics],
        name=performance_profile.__name__, alt=PROFILE_ALT_TEXT, stamp=stamp, folder=folder,
    )  # fmt: skip


def publish_evidence(
    ledger: Ledger, claims: Claims, folder: Path, stamp: str
) -> Mapping[str, Drawn]:
    """Writes the forest plot of each claim that has published figures; by the claim's id."""
    return {
        row.claim.id: drawing(
            published_evidence, row.on, row.judgement, row.claim, claims,
            name=f"published-{row.claim.id}",
            alt=EVIDENCE_ALT_TEXT.format(claim=row.claim.text.rstrip(".")),
            stamp=stamp, folder=folder,
        )
        for row in ledger.rows
        if row.on is not None and row.on.links
    }  # fmt: skip


def drawing(
    draw: Draw, *shown: Any, name: str, alt: str, stamp: str, folder: Path | None = None
) -> Drawn:
    """Draws what is shown; below a folder, also writes figures/<name>.{svg,png,pdf}.

    `stamp`: the digest of what it shows, in words.
    """
    with style():
        figure = draw(*shown)
    files = render(figure, stamp=stamp, kinds=["svg"] if folder is None else KINDS)
    if folder is not None:
        for kind, content in files.items():
            publish(folder / "figures" / f"{name}.{kind}", content)
    return drawn(draw, files["svg"], name=name, alt=alt)


def published(contents: Contents, draw: Draw, folder: Path) -> Drawn:
    """A figure of a workload's report, whose files are below `folder`, for another page.

    Raises:
        UsageError: the figure is missing or damaged, or shows other inputs.
    """
    path, name = folder / "figures" / f"{draw.__name__}.svg", f"{contents.name}-{draw.__name__}"
    try:
        svg = path.read_bytes()
        listed = hashlib.sha256((folder / inputs.FILE).read_bytes()).hexdigest()
        if f"sha256 {listed} of {inputs.FILE}" not in svg.decode():
            raise ValueError("it is of other inputs than the report")
        if not svg.rstrip().endswith(b"</svg>"):
            raise ValueError("it is cut off")
    except (OSError, ValueError) as error:
        way_out = f"run `dvc repro {WORKLOADS / contents.name}/dvc.yaml`"
        raise UsageError(f"{path} cannot be shown ({error}): {way_out}") from error
    return drawn(draw, svg, name=name, alt=alt_text(contents, draw))


def drawn(draw: Draw, svg: bytes, *, name: str, alt: str) -> Drawn:
    """A figure as an element of a page, where it is called `name`."""
    return Drawn(
        name=name,
        svg=inline(svg, name=name, alt=alt),
        alt=alt,
        function=f"{draw.__module__}.{draw.__name__}",
        source=f"src/{draw.__module__.replace('.', '/')}.py",
    )
