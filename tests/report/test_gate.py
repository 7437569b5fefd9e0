"""Where the baseline misses its sourced band, nothing is ranked anywhere in a report."""

import dataclasses

import pytest

from optbench.claims.schema import Baseline
from optbench.report import tables
from optbench.report.advice import Allowance, advise
from optbench.report.contents import Contents
from optbench.report.figures import final_score, performance_profile
from optbench.report.gallery import figures_of
from optbench.report.headline import headline

INSIDE = Baseline(arm="sgd-cosine", low=0.9, high=0.999, source="others' runs")


def banded(contents: Contents, band: Baseline) -> Contents:
    """The same contents, whose baseline has a band."""
    claims = dataclasses.replace(contents.claims, baselines={contents.name: band})
    return dataclasses.replace(contents, claims=claims)


@pytest.fixture(scope="module")
def inside(contents) -> Contents:
    return banded(contents, INSIDE)


@pytest.fixture(scope="module")
def outside(inside) -> Contents:
    return banded(inside, dataclasses.replace(INSIDE, low=0.998))


def first_cells(table: tables.Table, count: int = 1) -> list[str]:
    return [" / ".join(row.cells[:count]) for row in table.rows]


def test_rows_are_in_the_suites_order(inside, outside):
    names = [str(arm) for arm in outside.arms]
    rows = [f"{arm.optimizer} / {arm.schedule}" for arm in outside.arms]
    labels = [label.get_text() for axes in final_score(outside).axes
              for label in axes.get_yticklabels()]  # fmt: skip
    assert first_cells(tables.results(outside), 2) == rows
    assert first_cells(tables.targets(outside)) == names
    assert labels == names
    # Control: inside its band they are ranked.
    assert first_cells(tables.results(inside), 2) != rows
    assert first_cells(tables.targets(inside)) != names


def test_headline_and_advice_say_why_instead(inside, outside):
    why = "the baseline sgd / cosine has a mean of "
    assert str(headline(outside)).startswith(f"No ranking is given: {why}")
    advice = advise(outside, Allowance())
    assert str(advice.sentences[0]).startswith(f"No advice: {why}")
    assert advice.table is None
    assert str(headline(inside)).startswith("Highest mean test accuracy")
    assert advise(inside, Allowance()).table.rows


def test_differences_are_not_drawn_and_the_profile_is_without_it(inside, outside):
    drawn, withheld = figures_of(inside), figures_of(outside)
    assert len(drawn) == len(withheld) + 1
    titles = [performance_profile([w]).get_suptitle() for w in (inside, outside)]
    assert titles == [
        "performance profile: 5 targets (digits-cnn 5); 15 left out, not run by all",
        "performance profile: 0 targets (none)",
    ]
