"""Every optimizer has the same trials, and a trial is a run on the validation split."""

import copy
import dataclasses

import pytest

from optbench.core.run import read_params
from optbench.search.space import Search, position, ranges
from optbench.search.trials import Trial, best, points, trial_runs

PARAMS = read_params()
TRIAL = Trial(
    optimizer="sgd", trial=1, schedule="cosine", seed=0, epochs=1, lr=0.1, weight_decay=0.0,
    damping=None, validation_accuracy=0.9, validation_loss=0.5, diverged_at_step=None,
)  # fmt: skip


@pytest.fixture
def search() -> Search:
    return Search(**PARAMS["search"]["digits-cnn"])


def test_every_optimizer_has_the_same_points_of_the_unit_square(search):
    squares = []
    for optimizer, space in search.space.items():
        values = points(search, optimizer)
        assert len(values) == search.trials
        squares.append(
            [[position(ranges(space)[name], point[name]) for name in ranges(space)]
             for point in values]
        )  # fmt: skip
    for square in squares[1:]:
        for place, first in zip(square, squares[0], strict=True):
            assert place == pytest.approx(first, abs=0.003)  # three digits


def test_points_fill_the_space_repeat_and_follow_the_seed(search):
    lrs = sorted(position((0.0003, 0.095), p["lr"]) for p in points(search, "adam"))
    gaps = [b - a for a, b in zip([0.0, *lrs], [*lrs, 1.0], strict=True)]
    assert max(gaps) < 3 / search.trials
    assert points(search, "adam") == points(search, "adam")
    other = dataclasses.replace(search, seed=1)
    assert points(other, "adam") != points(search, "adam")


def test_more_trials_move_none(search):
    more = dataclasses.replace(search, trials=2 * search.trials)
    assert points(more, "adam")[: search.trials] == points(search, "adam")


def test_a_trial_is_the_workloads_run_with_the_searchs_budget_and_a_point():
    params = copy.deepcopy(PARAMS)
    params["search"]["digits-cnn"] |= {"epochs": 3, "threads": 2, "schedule": "step", "seed": 7}
    for run, point in zip(
        trial_runs(params, "digits-cnn", "adam"),
        points(Search(**params["search"]["digits-cnn"]), "adam"),
        strict=True,
    ):
        assert run.settings.train_split == "holdout"
        assert (run.settings.epochs, run.settings.threads) == (3, 2)
        assert (run.schedule, run.seed) == ("step", 7)
        assert run.schedule_args == params["schedules"]["step"]
        assert run.optimizer_args == {**params["optimizers"]["adam"]["settings"], **point}
        assert run.settings.batch_size == params["workloads"]["digits-cnn"]["batch_size"]


def test_the_best_trial_is_the_most_accurate_and_among_equals_that_of_lower_loss():
    worse = dataclasses.replace(TRIAL, validation_accuracy=0.8, validation_loss=0.1)
    surer = dataclasses.replace(TRIAL, validation_loss=0.4)
    diverged = dataclasses.replace(TRIAL, validation_accuracy=None, validation_loss=None)
    assert best([diverged, worse, TRIAL, surer, worse]) == surer
    assert best([diverged]) is None
