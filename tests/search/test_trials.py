"""Every optimizer has the same trials, and a trial is a run on the validation split."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import digits_room
from tests.search.examples import ROOM, SEARCH, TRIAL, trials_of

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.core.run import Budget
from optbench.core.score import Score
from optbench.params import plan
from optbench.params.code import digests
from optbench.params.search import position
from optbench.search.table import read_trials
from optbench.search.trials import Trial, best, by_optimizer, planned_trials, points

CODE = dict.fromkeys(digests(), "0" * 64)


def test_every_optimizer_has_the_same_points_of_the_unit_square():
    squares = []
    for space in SEARCH.space.values():
        values = points(space, SEARCH.trials, SEARCH.seed)
        assert len(values) == SEARCH.trials
        squares.append([[position(space[n], point[n]) for n in space] for point in values])
    for square in squares[1:]:
        for place, first in zip(square, squares[0], strict=True):
            assert place == pytest.approx(first, abs=0.003)  # three digits


def test_points_fill_the_space_repeat_and_follow_the_seed():
    space, n = SEARCH.space["adam"], SEARCH.trials
    lrs = sorted(position(space["lr"], point["lr"]) for point in points(space, n, 0))
    gaps = [b - a for a, b in zip([0.0, *lrs], [*lrs, 1.0], strict=True)]
    assert max(gaps) < 3 / n
    assert points(space, n, 0) == points(space, n, 0)
    assert points(space, n, 1) != points(space, n, 0)


def test_more_trials_move_none():
    space, n = SEARCH.space["adam"], SEARCH.trials
    assert points(space, 2 * n, 0)[:n] == points(space, n, 0)


def test_any_argument_may_be_a_dimension():
    space = {"lr": (1e-3, 1.0), "momentum": (0.5, 0.99), "eps": (1e-9, 1e-6)}
    values = points(space, 50, 0)
    for name, (low, high) in space.items():
        tried = [point[name] for point in values]
        assert low <= min(tried) < max(tried) <= high
        assert position(space[name], max(tried)) - position(space[name], min(tried)) > 0.9


def planned(monkeypatch, tmp_path, **changes) -> None:
    """Writes the plan of the room with another search."""
    monkeypatch.chdir(tmp_path)
    room, params = digits_room()
    plan.write_plan(replace(room, search=replace(SEARCH, **changes)), params, CODE)


def test_a_trial_is_the_workloads_run_with_the_searchs_budget_and_a_point(monkeypatch, tmp_path):
    planned(monkeypatch, tmp_path, budget=Budget(steps=30), threads=2, schedule="step", seed=7)
    runs, values = planned_trials("digits-cnn", "adam")
    assert values == points(SEARCH.space["adam"], SEARCH.trials, 7)
    for run, point in zip(runs, values, strict=True):
        assert run.settings == replace(
            ROOM.settings, train_split="holdout", budget=Budget(steps=30), threads=2
        )
        assert (run.schedule, run.seed) == ("step", 7)
        assert run.schedule_args == digits_room()[1].schedules["step"]
        assert run.optimizer_args == {**ROOM.optimizers["adam"], **point}
        assert "search" in run.code


def test_a_search_without_a_plan_is_named(monkeypatch, tmp_path):
    planned(monkeypatch, tmp_path)
    with pytest.raises(UsageError, match=r"plan/search/sdg\.json cannot be read .*`dvc repro`"):
        planned_trials("digits-cnn", "sdg")


ACCURACY = ROOM.score
ERROR = Score(
    name="error", unit="", difference_unit="", higher_is_better=False, low=0.0, high=None
)  # fmt: skip


def test_the_best_trial_has_the_best_score_and_among_equals_the_lower_loss():
    worse = replace(TRIAL, validation_score=0.8, validation_loss=0.1)
    surer = replace(TRIAL, validation_loss=0.4)
    diverged = replace(TRIAL, validation_score=None, validation_loss=None)
    assert best([diverged, worse, TRIAL, surer, worse], ACCURACY) == surer
    assert best([diverged], ACCURACY) is None
    assert best([diverged, worse, TRIAL, surer], ERROR) == worse  # less is better


def test_searched_values_are_an_object_in_the_order_of_the_space():
    assert list(TRIAL.hyper.items()) == [("lr", 0.1), ("weight_decay", 0.001)]
    reversed_values = json.dumps(dict(reversed(TRIAL.hyper.items())))
    assert list(replace(TRIAL, values=reversed_values).hyper) == ["weight_decay", "lr"]


@pytest.fixture
def table(monkeypatch, tmp_path) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("workloads/digits-cnn/search/trials.csv")
    path.parent.mkdir(parents=True)
    return path


def test_trials_read_back_and_are_none_where_there_was_no_search(table):
    assert read_trials("digits-cnn", ACCURACY) == []
    rows_of_two = [*trials_of("sgd"), *trials_of("kfac")]
    table.write_text(rows.to_csv(Trial, rows_of_two))
    assert read_trials("digits-cnn", ACCURACY) == rows_of_two
    groups = by_optimizer(read_trials("digits-cnn", ACCURACY))
    assert groups == {"sgd": trials_of("sgd"), "kfac": trials_of("kfac")}


@pytest.mark.parametrize("values", ["x", "3", "[1]", '{"lr": '])
def test_a_broken_table_is_named(table, values):
    for text in ("lr\n1\n", rows.to_csv(Trial, [replace(TRIAL, values=values)])):
        table.write_text(text)
        with pytest.raises(UsageError, match=r"trials\.csv(:| is damaged).*run `dvc repro"):
            read_trials("digits-cnn", ACCURACY)
