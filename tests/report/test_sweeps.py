"""A report shows each sweep: every value of every arm, the advised ones marked."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from optbench.report import sweeps
from optbench.report.gallery import figures_of
from optbench.report.style import style
from optbench.report.sweeps import swept_scores


def test_the_table_has_a_row_a_value_and_the_advised_are_marked(contents):
    rows = [row.cells for row in sweeps.sweeps(contents).rows]
    cases = [case for each in contents.sweeps.values() for case in each.sweep.cases]
    assert len(rows) == len(cases) > 50
    betas = [cells for cells in rows if cells[:2] == ("adam / cosine", "betas")]
    assert [cells[2] for cells in betas if cells[3] == "advised"] == ["(0.9, 0.999)"]
    assert {cells[3] for cells in rows if cells[1] == "few_data"} == {"compared", "-"}


def test_how_often_an_end_of_the_rates_was_chosen_is_counted(contents):
    """Made-up scores fall from rate to rate."""
    cells = [row.cells for row in sweeps.sweeps(contents).rows]
    assert {row[7] for row in cells if row[1] == "betas"} == {"10 and 0 of 10"}
    assert {row[7] for row in cells if row[1] == "high_lr"} == {"-"}  # one rate, and no choice
    swept = contents.sweeps["betas"]
    arm, value = swept.sweep.arms[0], swept.sweep.values[0]
    turned = [
        replace(trial, validation_score=1 - (trial.validation_score or 0)) for trial in swept.trials
    ]
    higher = sweeps.at_an_end(replace(swept, trials=turned), arm, value, contents.score)
    assert higher == "0 and 10 of 10"  # the control


def test_where_all_diverged_a_value_has_neither_mean_nor_mark(contents):
    unbounded = replace(contents.score, low=None, high=None)
    swept = {
        name: replace(each, trials=[
            replace(t, validation_score=None, validation_loss=None, test_score=None,
                    test_loss=None, diverged_at_step=3) for t in each.trials
        ])
        for name, each in contents.sweeps.items()
    }  # fmt: skip
    lost = replace(contents, room=replace(contents.room, score=unbounded), sweeps=swept)
    rows = [row.cells for row in sweeps.sweeps(lost).rows]
    assert {cells[5:7] for cells in rows} == {("-", "-")}
    with style():
        figure = swept_scores(lost)
    assert not any(line.get_ydata().size and (line.get_ydata() > 0).any()
                   for line in figure.axes[0].lines)  # fmt: skip


def test_numbers_stand_in_their_order_and_all_else_as_it_is():
    assert sweeps.ordered([1e-8, 1e-10, 1e-4]) == [1e-10, 1e-8, 1e-4]
    assert sweeps.ordered([[0.9, 0.99], [0.8, 0.9]]) == [[0.9, 0.99], [0.8, 0.9]]


def test_the_figure_has_a_panel_a_sweep_whose_means_are_those_of_the_table(contents):
    with style():
        figure = swept_scores(contents)
    assert isinstance(figure, Figure)
    panels = {panel.get_title(loc="left"): panel for panel in figure.axes}
    assert list(panels) == list(contents.sweeps)
    rows = [row.cells for row in sweeps.sweeps(contents).rows]
    means = [float(cells[5]) for cells in rows if cells[:2] == ("adam / cosine", "betas")]
    (line,) = [line for line in panels["betas"].lines if line.get_label() == "adam"]
    assert list(line.get_ydata()) == pytest.approx(means, abs=0.005)


def test_without_sweeps_there_is_neither(contents):
    without = replace(contents, sweeps={})
    assert swept_scores in figures_of(contents)  # the control
    assert swept_scores not in figures_of(without)
    assert sweeps.sweeps(without).rows == []
