"""Published evidence beside the verdicts: the index's words and links, and the forest plot."""

import re
import shutil
from html import unescape
from pathlib import Path

import pytest
from matplotlib.figure import Figure as Plot
from tests.claims.examples import AHEAD, CLAIMS, ROOT, SMALL, evidence

from optbench.claims.judge import judge
from optbench.claims.publications import PUBLICATIONS, load_publications
from optbench.claims.published import FOR_IN_PART, published_on
from optbench.report.published_forest import published_evidence
from optbench.report.render import render_index

GOOD = load_publications(CLAIMS, ROOT / PUBLICATIONS)
ON = published_on(CLAIMS, GOOD)


@pytest.fixture(scope="module")
def index(contents, reported, tmp_path_factory) -> Path:
    """The folder of an index with published evidence."""
    folder = tmp_path_factory.mktemp("reports")
    shutil.copytree(reported, folder, dirs_exist_ok=True)
    publications = load_publications(contents.claims, ROOT / PUBLICATIONS)
    render_index([contents], contents.claims, folder, publications)
    return folder


def section(index: Path, claim: str) -> str:
    """What the page says of a claim, with its marks."""
    page = (index / "index.html").read_text()
    (found,) = re.findall(rf'<section id="published-{claim}">.*?</section>', page, re.DOTALL)
    return unescape(found)


def test_every_claim_with_figures_has_its_section_with_its_sources(index):
    for claim, on in ON.items():
        if not on.links:
            continue
        told = section(index, claim)
        assert f"Published: {on.result}." in told
        for finding in (finding for link in on.links for finding in link.findings):
            assert f'<a href="{finding.source.url}">{finding.source.name}' in told
            assert finding.figures[0].reading in told
    assert 'id="published-finding-one-cycle"' not in (index / "index.html").read_text()


def test_the_reading_decides_on_sgd_and_both_sides_are_shown(index):
    told = section(index, "imagenet-sgd")
    assert "step for (6, 75.58 to 76.03 %)" in told
    assert "warmup_cosine against (5, 76.80 to 77.60 %). The claim is read as under cosine." in told


def test_the_ledger_has_it_beside_verdict_and_transfer(index):
    page = (index / "index.html").read_text()
    assert '<a href="#published-cifar10-order">against</a>' in page
    text = (index / "claims.md").read_text()
    (header,) = [line for line in text.splitlines() if line.startswith("| claim")]
    cells = [cell.strip() for cell in header.split("|")]
    assert cells.index("published evidence") == cells.index("transfer evidence") + 1
    (row,) = [line for line in text.splitlines() if line.startswith("| [AdamW consistently")]
    assert "| [for in part](index.html#published-finding-adamw)" in row
    assert "adamw over adam: for (3 contrasts of 2 sources, all under step: 3 for)." in section(
        index, "finding-adamw"
    )
    alone = (index / SMALL / "claims.md").read_text()  # the control: a workload's own report
    assert "published evidence" not in alone


def test_the_evidence_is_an_input_of_the_index_alone(index):
    line = f"{GOOD.sha256}  {GOOD.file}"
    assert line in (index / "inputs.sha256").read_text().splitlines()
    assert line not in (index / SMALL / "inputs.sha256").read_text().splitlines()


def plotted(claim: str, *evidences) -> Plot:
    """The forest plot of a claim on some evidence."""
    judged = judge(CLAIMS, {each.workload: each for each in evidences}).judgements
    (pair,) = [(c, j) for c, j in zip(CLAIMS.claims, judged, strict=True) if c.id == claim]
    return published_evidence(ON[claim], pair[1], pair[0], CLAIMS)


def marks(plot: Plot) -> list[tuple[str, float, bool]]:
    """Of each mark its row's label, its value, and whether it is filled; of one axes."""
    (axes,) = plot.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    lines = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    return [
        (
            labels[round(float(line.get_ydata()[0]))],
            round(float(line.get_xdata()[0]), 2),
            line.get_markerfacecolor() != "white",
        )
        for line in lines
    ]


def test_the_forest_shows_the_posts_number_ours_and_those_of_others():
    """The table: 95.1 - 94.8; ours: 95.5 - 95.1; AdaBelief's last epoch: 94.28 - 92.94."""
    shown = marks(plotted("finding-adamw", evidence(AHEAD), evidence(AHEAD, workload=SMALL)))
    assert ("the post's table", 0.3, True) in shown
    assert ("run here, step", 0.4, True) in shown
    assert (f"{SMALL}, here, step", 0.4, False) in shown
    assert ("Zhuang et al. 2020, ResNet-34, step", 1.34, False) in shown
    assert not [
        mark for mark in marks(plotted("finding-adamw")) if "here" in mark[0]
    ]  # the control


def test_the_table_tells_nothing_of_schedules():
    assert "the post's table" not in {label for label, *_ in marks(plotted("finding-cosine"))}


def test_epochs_and_scores_have_axes_of_their_own():
    epochs = [axes.get_xlabel() for axes in plotted("finding-kfac").axes]
    assert len(epochs) == 2
    assert "accuracy (pp)" in epochs[0]
    assert "(epochs)" in epochs[1]
    assert len(plotted("cifar10-order").axes) == 1  # the control


def test_the_forest_of_a_value_shows_ours_at_its_mean():
    shown = marks(plotted("cifar10-adamw", evidence(default=0.953)))
    assert shown[:2] == [("the post", 95.1, True), ("run here", 95.3, True)]
    assert ("Xie et al. 2022, ResNet-18, step", 94.92, False) in shown


def test_what_is_tested_is_filled_and_has_its_interval():
    shown = {label: is_filled for label, _, is_filled in marks(plotted("imagenet-order"))}
    assert shown["AlgoPerf v0.5, ResNet-50, warmup_cosine"]
    assert not shown["Ma 2020, ResNeXt-50, cosine"]


def test_the_projects_own_evidence_says_what_the_sources_say():
    results = {claim: on.result for claim, on in ON.items() if on.links}
    assert results["finding-adamw"] == FOR_IN_PART
    assert ON["expected-accuracy"].result == "none"  # no source has it under cosine
    assert results["cifar10-order"] == results["imagenet-order"] == "against"
    assert results["finding-cosine"] == results["finding-kfac"] == "mixed"
    assert results["advice-decay-adamw"] == "against"
    assert ON["finding-one-cycle"].result == "none"
    assert ON["radam-formula"].result == "none"
