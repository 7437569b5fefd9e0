"""Labels beside lines do not touch, and many optimizers have panels by family."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbench.report import panels
from optbench.report.panels import GAP, MOST, families, spread
from optbench.report.style import COLOURS

SIX = ["sgd", "adam", "adamw", "radam", "kfac", "ngd"]


@given(st.lists(st.floats(-0.2, 1.2), max_size=14))
def test_labels_keep_their_order_and_a_gap_and_stay_within(heights):
    heights = sorted(heights)
    placed = spread(heights, GAP)
    assert len(placed) == len(heights)
    assert all(np.diff(placed) >= GAP - 1e-9)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in placed)


def test_labels_that_are_apart_stay_where_they_are():
    assert spread([0.1, 0.5, 0.9], 0.1) == [0.1, 0.5, 0.9]


def test_labels_that_touch_lie_about_their_mean():
    assert spread([0.5, 0.52], 0.1) == pytest.approx([0.46, 0.56])
    assert spread([0.5, 0.52], 0.01) == [0.5, 0.52]  # the control


def test_few_optimizers_share_a_panel_and_many_have_one_a_family():
    assert families(SIX) == {"": SIX}
    many = [*SIX, "stranger", "other"]
    assert len(many) > MOST
    assert families(many) == {
        "momentum": ["sgd"], "adaptive": ["adam", "adamw", "radam"], "matrix": ["kfac", "ngd"],
        "others": ["stranger", "other"],
    }  # fmt: skip


def test_colours_differ():
    assert len({*COLOURS.values()}) == len(COLOURS)


def test_a_grid_has_as_many_panels_as_asked_for():
    for count in (1, 3, 4, 7):
        figure, axes = panels.grid(count, width=3, height=2)
        assert len(axes) == len(figure.axes) == count
