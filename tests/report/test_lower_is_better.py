"""The digits studies with the score turned round: all that a reader sees follows the score."""

import dataclasses
import re
from pathlib import Path

import pytest
from tests.evaluation.examples import ERROR

from optbench.report import tables
from optbench.report.advice import Allowance, advise
from optbench.report.caption import caption, power
from optbench.report.contents import Contents
from optbench.report.curves import axis_label, learning_curves, limits
from optbench.report.figures import cost_against_score, final_score, time_to_target
from optbench.report.forest import score_differences
from optbench.report.gallery import figures_of
from optbench.report.headline import headline
from optbench.report.ledger import ledger_of
from optbench.report.render import render_report

# What only the score of image classification has.
WORDS = re.compile(r"accurac|\bpp\b|images?\b|classes|labels\b", re.IGNORECASE)


def arms(table: tables.Table) -> list[tuple[str, ...]]:
    return [tuple(row.cells[:2]) for row in table.rows]


def test_the_table_has_the_best_first(contents, error):
    accurate, wrong = tables.results(contents), tables.results(error)
    assert arms(wrong) == arms(accurate)
    assert wrong.headers[2:4] == ("mean squared error", "sd")
    for row, other in zip(wrong.rows, accurate.rows, strict=True):
        assert float(row.cells[2]) == pytest.approx(1 - float(other.cells[2]) / 100, abs=1e-4)
    means = [float(row.cells[2]) for row in wrong.rows]
    assert means == sorted(means)
    turned = dataclasses.replace(
        error.room, score=dataclasses.replace(ERROR, higher_is_better=True)
    )
    control = tables.results(dataclasses.replace(error, room=turned))
    assert [float(row.cells[2]) for row in control.rows] == sorted(means, reverse=True)


def test_the_headline_names_the_lowest(contents, error):
    text, accurate = str(headline(error)), str(headline(contents))
    best, worst = tables.results(error).rows[0].cells, tables.results(error).rows[-1].cells
    assert text.startswith(f"Lowest mean test mean squared error: {best[0]} / {best[1]} with ")
    assert f"highest: {worst[0]} / {worst[1]} with {worst[2]}." in text
    assert accurate.startswith("Highest mean test accuracy: ")  # the control


def test_the_advice_is_the_same(contents, error):
    """The chances do not go by what the score is called, nor by its sign."""
    accurate, wrong = advise(contents, Allowance()).table, advise(error, Allowance()).table
    assert wrong.headers == (
        "optimizer / schedule", "mean", "sd", "n", "P(best mean)", "expected loss",
    )  # fmt: skip
    best, other = wrong.rows[0].cells, accurate.rows[0].cells
    assert best[0] == other[0]
    assert float(best[4]) == pytest.approx(float(other[4]), abs=0.03)
    assert float(best[5]) == pytest.approx(float(other[5]) / 100, abs=2e-4)


def test_the_figures_have_the_best_on_top(contents, error):
    def names(figure) -> list[str]:
        assert figure.axes[0].yaxis.get_inverted()
        return [label.get_text() for label in figure.axes[0].get_yticklabels()]

    assert names(final_score(error)) == names(final_score(contents))
    assert names(time_to_target(error)) == names(time_to_target(contents))
    best = tables.results(error).rows[0].cells
    assert names(final_score(error))[0] == f"{best[0]} / {best[1]}"
    label, lower = "mean squared error", "\n(lower is better)"
    assert final_score(error).axes[-1].get_xlabel() == f"test {label}, after the last step{lower}"
    assert cost_against_score(error).axes[0].get_ylabel() == f"test {label}, 95 % interval{lower}"
    assert learning_curves(error).get_supylabel() == f"held-out {label}{lower}"
    assert final_score(contents).axes[-1].get_xlabel() == "test accuracy (%), after the last step"


def test_differences_are_those_by_which_the_first_is_better(contents, error):
    """A hundredth of the differences in accuracy, and of the same sign."""

    def drawn(of: Contents) -> tuple[list[float], list[str], str]:
        axes = score_differences(of, ledger_of(of.claims, [of]).verdicts).axes
        marks = [line.get_xdata()[0] for line in axes[0].lines if line.get_marker() in "os^"]
        texts = [text.get_text() for text in axes[0].texts]
        return marks, texts, axes[1].get_xlabel()

    (points, notes, label), (accurate, same_notes, _) = drawn(error), drawn(contents)
    assert points == pytest.approx([point / 100 for point in accurate], abs=1e-9)
    assert notes == same_notes
    assert label.startswith("by how much the first's mean test mean squared error is lower\n95 %")


def test_the_curves_show_the_target_and_the_late_scores(error):
    low, high = learning_curves(error).axes[0].get_ylim()
    late = [
        point.heldout_score
        for arm in error.compared
        for history in error.histories(arm)
        for point in history[len(history) // 2 :]
    ]
    assert low < min(*late, error.room.target)
    assert high > max(*late, error.room.target)
    early = [result.outcome.history[0].heldout_score for result in error.results]
    assert max(early) > high  # the control: the beginning is cut off


def test_an_axis_names_the_unit_and_the_direction_in_a_line_of_their_own():
    entropy = dataclasses.replace(ERROR, name="cross entropy", unit="bits a character")
    label = "test cross entropy, by study\n(bits a character; lower is better)"
    assert axis_label(entropy, "test", ", by study") == label
    turned = dataclasses.replace(entropy, higher_is_better=True)
    assert axis_label(turned, "test") == "test cross entropy (bits a character)"


def test_axes_end_just_beyond_a_bound():
    low, high = limits(ERROR, [0.0, 1.0])
    assert -0.03 < low < 0
    assert high == pytest.approx(1.08)
    assert limits(ERROR, [0.5])[0] < 0.5 < limits(ERROR, [0.5])[1]


@pytest.mark.usefixtures("svg_alone")
def test_nothing_names_another_score(contents, reported, error, tmp_path):
    """But for the claims, in which the post's words stand."""
    render_report(error, tmp_path)

    def words(of: Contents, folder: Path) -> list[str]:
        page = (folder / "report.html").read_text()
        sections = [section for section in page.split("<section ") if 'id="ledger"' not in section]
        shown = [section for section in sections if 'id="verdicts"' not in section]
        texts = [
            *shown,
            *map(str, [*caption(of), *power(of), headline(of), *advise(of, Allowance()).sentences]),
            *(note for row in ledger_of(of.claims, [of]).rows for note in map(str, row.numbers)),
            *(draw.__name__ for draw in figures_of(of)),
            (folder / "results.csv").read_text(),
            (folder / "results.tex").read_text(),
        ]
        return [match[0] for text in texts for match in WORDS.finditer(plain(text))]

    assert not words(error, tmp_path)
    assert words(contents, reported / contents.name)  # the control


def plain(text: str) -> str:
    """Without what the task's name and settings say in the provenance, and without drawings."""
    text = re.sub(r"Every run has: .*", "", text)
    return re.sub(r"<svg.*?</svg>|<[^>]*>", "", text, flags=re.DOTALL)
