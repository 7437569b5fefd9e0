import dataclasses

from tests.search.test_trials import TRIAL

from optbench.search.sensitivity import lr_sensitivity, zoom

SPACE = {"lr": [0.001, 1.0], "weight_decay": [1e-5, 1e-2]}
TRIALS = [
    dataclasses.replace(TRIAL, trial=i, lr=0.002 * i, weight_decay=1e-4, validation_accuracy=a)
    for i, a in enumerate((0.1, 0.2, 0.90, 0.95, 0.97, 0.96, 0.94), start=1)
]
DIVERGED = dataclasses.replace(
    TRIAL, trial=8, weight_decay=1e-4, validation_accuracy=None, validation_loss=None
)


def heights(panel) -> dict[str, int]:
    """How many trials a panel draws in view, and how many at its lower edge."""
    markers = [line.get_marker() for line in panel.lines]
    return {"o": markers.count("o"), "v": markers.count("v")}


def test_worse_and_diverged_trials_lie_at_the_lower_edge_and_the_best_has_a_ring():
    low, high = zoom([[*TRIALS, DIVERGED]])
    assert (low, high > 97) == (90.0, True)
    figure = lr_sensitivity("w", {"sgd": [*TRIALS, DIVERGED]}, {"sgd": SPACE})
    panel = figure.axes[0]
    assert heights(panel) == {"o": 5 + 1, "v": 3}
    ring = panel.lines[-1]
    assert ring.get_ydata() == [97.0]


def test_there_is_a_figure_where_all_diverged_or_one_dimension_was_searched():
    figure = lr_sensitivity("w", {"sgd": [DIVERGED]}, {"sgd": SPACE})
    assert heights(figure.axes[0]) == {"o": 0, "v": 1}
    one = lr_sensitivity("w", {"sgd": TRIALS}, {"sgd": {**SPACE, "weight_decay": 1e-4}})
    assert len(one.axes) == 1  # no colour bar
