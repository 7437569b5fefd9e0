"""Where the baseline misses its sourced band, nothing is ranked anywhere in a report."""

import dataclasses

import pytest

from optbench.claims.schema import Baseline
from optbench.params.load import load_params
from optbench.report import tables
from optbench.report.advice import Budget, advise
from optbench.report.contents import Contents, read_contents
from optbench.report.figures import final_accuracy, performance_profile
from optbench.report.page import headline, target_rows
from optbench.report.render import figures_of

INSIDE = Baseline(optimizer="sgd", schedule="cosine", low=0.9, high=0.999, source="others' runs")


def banded(contents: Contents, band: Baseline) -> Contents:
    """The same contents, whose baseline has a band."""
    claims = dataclasses.replace(contents.claims, baselines={contents.workload: band})
    return dataclasses.replace(contents, claims=claims)


@pytest.fixture(scope="module")
def inside() -> Contents:
    return banded(read_contents(load_params(), "digits-cnn"), INSIDE)


@pytest.fixture(scope="module")
def outside(inside) -> Contents:
    return banded(inside, dataclasses.replace(INSIDE, low=0.998))


def test_rows_are_in_the_suites_order(inside, outside):
    arms = [list(arm) for arm in outside.suite.arms]
    names = [" / ".join(arm) for arm in arms]
    labels = [label.get_text() for label in final_accuracy(outside).axes[0].get_yticklabels()]
    assert [row[:2] for row in tables.results_rows(outside)] == arms
    assert [row[0] for row in target_rows(outside)] == names
    assert labels == names
    # Control: inside its band they are ranked.
    assert [row[:2] for row in tables.results_rows(inside)] != arms
    assert [row[0] for row in target_rows(inside)] != names


def test_headline_and_advice_say_why_instead(inside, outside):
    why = "the baseline sgd / cosine has a mean of "
    assert headline(outside).startswith(f"No ranking is given: {why}")
    advice = advise(outside, Budget())
    assert advice.sentences[0].startswith(f"No advice: {why}")
    assert not advice.rows
    assert headline(inside).startswith("Highest mean test accuracy")
    assert advise(inside, Budget()).rows


def test_differences_are_not_drawn_and_the_profile_is_without_it(inside, outside):
    drawn, withheld = figures_of(inside), figures_of(outside)
    assert len(drawn) == len(withheld) + 1
    titles = [performance_profile([own]).axes[0].get_title(loc="left") for own in (inside, outside)]
    assert titles == [
        "performance profile: 30 targets (digits-cnn 30)",
        "performance profile: 0 targets (none)",
    ]
