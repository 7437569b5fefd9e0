"""The figure of a search shows the better trials, whichever way is better."""

import json

import pytest
from tests.evaluation.examples import ACCURACY, ERROR

from optbench.report.sensitivity import lr_sensitivity, view
from optbench.search.trials import Trial

SPACE = {"lr": (0.001, 1.0), "weight_decay": (1e-5, 1e-2)}
ACCURACIES = (0.1, 0.2, 0.90, 0.95, 0.97, 0.96, 0.94)


def trial(number: int, score: float | None) -> Trial:
    """Of a rate that tells it from others."""
    return Trial(
        optimizer="sgd", trial=number, schedule="cosine", seed=0, budget="10 epochs",
        values=json.dumps({"lr": 0.002 * number, "weight_decay": 1e-4}), validation_score=score,
        validation_loss=None if score is None else 0.1, diverged_at_step=None,
    )  # fmt: skip


TRIALS = [trial(number, accuracy) for number, accuracy in enumerate(ACCURACIES, start=1)]
DIVERGED = trial(8, None)


def heights(panel) -> dict[str, int]:
    """How many trials a panel draws in view, and how many at its edge."""
    markers = [line.get_marker() for line in panel.lines]
    return {"o": markers.count("o"), "v": markers.count("v")}


def test_worse_and_diverged_trials_lie_at_the_lower_edge_and_the_best_has_a_ring():
    low, high = view([[*TRIALS, DIVERGED]], ACCURACY)
    assert (low, high > 97) == (90.0, True)
    trials = {"sgd": [*TRIALS, DIVERGED]}
    figure = lr_sensitivity("w", trials, {"sgd": SPACE}, score=ACCURACY)
    panel = figure.axes[0]
    assert heights(panel) == {"o": 5 + 1, "v": 3}
    ring = panel.lines[-1]
    assert ring.get_ydata() == [97.0]
    assert ring.get_xdata() == [pytest.approx(0.01)]
    assert {*panel.lines[0].get_ydata()} == {panel.get_ylim()[0]}
    assert figure.get_supylabel() == "validation accuracy (%)"
    assert panel.get_xlabel() == "lr"


def test_where_less_is_better_they_lie_at_the_upper_edge():
    """The same trials, of which each score is what the accuracy misses to 1."""
    errors = [trial(t.trial, 1 - t.validation_score) for t in TRIALS]
    worst, best = view([[*errors, DIVERGED]], ERROR)
    assert worst == pytest.approx(0.1)
    assert best < 0.03
    trials = {"sgd": [*errors, DIVERGED]}
    panel = lr_sensitivity("w", trials, {"sgd": SPACE}, score=ERROR).axes[0]
    assert heights(panel) == {"o": 5 + 1, "v": 3}
    assert panel.lines[-1].get_ydata() == [pytest.approx(0.03)]
    assert {*panel.lines[0].get_ydata()} == {panel.get_ylim()[1]}
    assert panel.get_ylim()[0] == pytest.approx(best)


def test_the_first_dimension_is_the_axis():
    space = {"weight_decay": SPACE["weight_decay"], "lr": SPACE["lr"]}
    panel = lr_sensitivity("w", {"sgd": TRIALS}, {"sgd": space}, score=ACCURACY).axes[0]
    assert panel.get_xlabel() == "weight_decay"
    assert panel.lines[-1].get_xdata() == [1e-4]


def test_there_is_a_figure_where_all_diverged_or_one_dimension_was_searched():
    figure = lr_sensitivity("w", {"sgd": [DIVERGED]}, {"sgd": SPACE}, score=ACCURACY)
    assert heights(figure.axes[0]) == {"o": 0, "v": 1}
    single = {"sgd": {"lr": SPACE["lr"]}}
    assert len(lr_sensitivity("w", {"sgd": TRIALS}, single, score=ACCURACY).axes) == 1
