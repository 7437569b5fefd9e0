"""Figures of trials: the better ones are shown, whichever way is better; and what to expect."""

import dataclasses

import pytest
from tests.evaluation.examples import ACCURACY, ERROR, trial
from tests.report.conftest import as_error
from tests.report.test_render import with_arms

from optbench.core.arm import Arm
from optbench.core.score import Score
from optbench.core.space import Space
from optbench.evaluation.expected import COUNTS
from optbench.report.contents import Contents
from optbench.report.gallery import ALT_TEXT, alt_text, figures_of
from optbench.report.sensitivity import best_arms, expected_scores, trial_scores, view
from optbench.report.style import render, style
from optbench.studies.trials import Trial, choice

SPACE = {"lr": (0.001, 1.0), "weight_decay": (1e-5, 1e-2)}
ACCURACIES = (0.1, 0.2, 0.90, 0.95, 0.97, 0.96, 0.94)
SGD = Arm("sgd", "cosine")
TRIALS = [trial(n, accuracy, lr=0.002 * n) for n, accuracy in enumerate(ACCURACIES, start=1)]
DIVERGED = trial(8, None, None, lr=0.016)


def of_trials(
    contents: Contents, trials: list[Trial], *, space: Space = SPACE, score: Score = ACCURACY
) -> Contents:
    """Contents of sgd / cosine alone, whose first study has these trials."""
    few = with_arms(contents, [SGD])
    search = dataclasses.replace(few.room.search, space={"sgd": space})
    first = few.results[0]
    chosen = choice(trials, score)
    outcome = dataclasses.replace(
        first.outcome,
        test_score=chosen.test_score,
        diverged_at_step=chosen.diverged_at_step,
    )
    return dataclasses.replace(
        few,
        room=dataclasses.replace(few.room, search=search, score=score),
        results=[dataclasses.replace(first, trials=trials, outcome=outcome)],
    )


def heights(panel) -> dict[str, int]:
    """How many trials a panel draws in view, and how many at its edge."""
    filled = [c for c in panel.collections if c.get_facecolors()[0][3] > 0]
    return {"o": count(filled), "v": count(panel.collections) - count(filled)}


def count(collections) -> int:
    return sum(len(collection.get_offsets()) for collection in collections)


def test_worse_and_diverged_trials_lie_at_the_lower_edge_and_the_best_has_a_ring(contents):
    low, high = view([[*TRIALS, DIVERGED]], ACCURACY)
    assert (low, high > 97) == (90.0, True)
    figure = trial_scores(of_trials(contents, [*TRIALS, DIVERGED]))
    panel = figure.axes[0]
    assert heights(panel) == {"o": 5, "v": 3}
    (ring,) = panel.lines
    assert ring.get_ydata() == [97.0]
    assert ring.get_xdata() == [pytest.approx(0.01)]
    assert {*panel.collections[1].get_offsets()[:, 1]} == {panel.get_ylim()[0]}
    assert figure.get_supylabel() == "validation accuracy (%)"
    assert panel.get_xlabel() == "lr"


def test_where_less_is_better_they_lie_at_the_upper_edge(contents):
    """The same trials, of which each score is what the accuracy misses to 1."""
    errors = [
        dataclasses.replace(t, validation_score=1 - t.validation_score, test_score=0.1)
        for t in TRIALS
    ]
    worst, best = view([[*errors, DIVERGED]], ERROR)
    assert worst == pytest.approx(0.1)
    assert best < 0.03
    panel = trial_scores(of_trials(contents, [*errors, DIVERGED], score=ERROR)).axes[0]
    assert heights(panel) == {"o": 5, "v": 3}
    assert panel.lines[-1].get_ydata() == [pytest.approx(0.03)]
    assert {*panel.collections[1].get_offsets()[:, 1]} == {panel.get_ylim()[1]}
    assert panel.get_ylim()[0] == pytest.approx(best)


def test_the_first_dimension_is_the_axis(contents):
    space = {"weight_decay": SPACE["weight_decay"], "lr": SPACE["lr"]}
    panel = trial_scores(of_trials(contents, TRIALS, space=space)).axes[0]
    assert panel.get_xlabel() == "weight_decay"
    assert panel.lines[-1].get_xdata() == [0.001]


def test_there_is_a_figure_where_all_diverged_or_one_dimension_was_searched(contents):
    figure = trial_scores(of_trials(contents, [DIVERGED]))
    assert heights(figure.axes[0]) == {"o": 0, "v": 1}
    single = {"lr": SPACE["lr"]}
    assert len(trial_scores(of_trials(contents, TRIALS, space=single)).axes) == 1


def test_an_optimizer_is_shown_by_its_best_tuned_arm(contents):
    arms = best_arms(contents)
    assert [arm.optimizer for arm in arms] == [*contents.optimizers]
    means = {s.arm: s.score_mean for s in contents.summaries if s.arm in contents.compared}
    for arm in arms:
        assert means[arm] == max(m for a, m in means.items() if a.optimizer == arm.optimizer)
    best = dataclasses.replace(contents.summaries[-1], score_mean=0.9999)  # untuned: it is no arm
    summaries = [*contents.summaries[:-1], best]
    assert best_arms(dataclasses.replace(contents, summaries=summaries)) == arms


def test_the_expected_scores_are_those_of_the_table(contents):
    figure = expected_scores(contents)
    drawn = [line for panel in figure.axes for line in panel.lines if line.get_marker() == "o"]
    arms = best_arms(contents)
    assert len(drawn) == len(arms)
    expected = [[100 * v for v in contents.tunings[arm].expected.values()] for arm in arms]
    for values in expected:
        assert any(list(line.get_ydata()) == pytest.approx(values) for line in drawn)
        assert len(values) == len([count for count in COUNTS if count <= 20])  # half of 40 trials
        assert values[-1] > values[0]  # more trials find better
    assert figure.get_supylabel() == "expected test accuracy (%)"


def test_an_expected_error_falls(contents):
    figure = expected_scores(as_error(contents))
    drawn = [line for panel in figure.axes for line in panel.lines if line.get_marker() == "o"]
    assert drawn
    assert all(line.get_ydata()[-1] < line.get_ydata()[0] for line in drawn)
    assert figure.get_supylabel().endswith("(lower is better)")


def test_the_key_of_shades_is_no_image(contents):
    """It goes into a page as drawn, in which nothing is fetched."""
    with style():
        svg = render(trial_scores(contents), stamp="", kinds=["svg"])["svg"].decode()
    assert "<image" not in svg
    assert "<path" in svg


def test_both_figures_are_drawn_and_told_in_words(contents, never):
    for draw in (expected_scores, trial_scores):
        assert draw in figures_of(contents)
        assert "accuracy" in alt_text(contents, draw)
        assert draw not in figures_of(never)
    assert set(figures_of(contents)) == set(ALT_TEXT)
