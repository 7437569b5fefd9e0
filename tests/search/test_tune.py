"""Winners go into a room's params.yaml, and nothing else of it changes."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.conftest import ROOT
from tests.search.examples import ROOM, SEARCH, trials_of

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.core.run import Budget
from optbench.search.trials import Trial
from optbench.search.tune import alarms, choose, find_winners, on_edge, with_winners
from optbench.search.winners import Winner

TEXT = (ROOT / "workloads/digits-cnn/params.yaml").read_text(encoding="utf-8")
WINNER = Winner(
    schedule="cosine", trials=24, budget="10 epochs", hyper={"lr": 0.0123, "weight_decay": 3e-05},
    validation_score=0.99, on_edge=(),
)  # fmt: skip


def test_without_winners_not_a_byte_changes():
    assert with_winners(TEXT, {}) == TEXT


def test_a_winner_goes_into_its_row_and_nowhere_else():
    tuned = with_winners(TEXT, {"sgd": WINNER})
    changed = [
        (old, new)
        for old, new in zip(TEXT.splitlines(), tuned.splitlines(), strict=True)
        if old != new
    ]
    expected = "sgd: {lr: 0.0123, weight_decay: 3.0e-05, momentum: 0.9, nesterov: true}"
    assert [new.strip() for _, new in changed] == [expected]
    values, before = yaml.safe_load(tuned), yaml.safe_load(TEXT)  # to PyYAML too, they are numbers
    assert values["optimizers"]["sgd"] == {**before["optimizers"]["sgd"], **WINNER.hyper}
    values["optimizers"]["sgd"] = before["optimizers"]["sgd"]
    assert values == before


def test_any_argument_of_a_row_in_any_form_of_yaml_can_be_a_winner():
    text = "# head\noptimizers:\n  a:\n    lr: 1  # old\n    t: 0.5\n  b: {lr: 1}\n"
    tuned = with_winners(text, {"a": replace(WINNER, hyper={"t": 0.25, "lr": 1.0})})
    assert tuned == text.replace("t: 0.5", "t: 0.25")


def test_taking_winners_twice_changes_nothing_more():
    winners = {"sgd": WINNER}
    tuned = with_winners(TEXT, winners)
    assert with_winners(tuned, winners) == tuned


def test_a_row_that_does_not_name_what_was_searched_is_told():
    winner = replace(WINNER, hyper={"lr": 0.1, "eps": 1e-8})
    with pytest.raises(UsageError, match=r"optimizers\.adam\.eps is missing: write it into the r"):
        with_winners(TEXT, {"adam": winner})


def test_the_winner_is_the_best_trial_with_its_budget():
    first = trials_of("adam")[0]
    (winner,) = choose(SEARCH, {"adam": trials_of("adam")}, ROOM.score).values()
    assert winner.hyper == first.hyper
    assert (winner.trials, winner.budget) == (SEARCH.trials, str(SEARCH.budget))
    assert (winner.schedule, winner.validation_score) == ("cosine", 0.99)


def test_where_less_is_better_the_winner_has_least():
    last = trials_of("adam")[-1]
    error = replace(ROOM.score, higher_is_better=False)
    (winner,) = choose(SEARCH, {"adam": trials_of("adam")}, error).values()
    assert winner.hyper == last.hyper


def test_an_optimizer_whose_trials_all_diverged_has_no_winner():
    gone = [replace(t, validation_score=None) for t in trials_of("adam")]
    assert choose(SEARCH, {"adam": gone}, ROOM.score) == {}


def test_a_winner_near_an_end_of_its_range_raises_an_alarm():
    space = {"lr": (0.001, 0.1)}
    assert on_edge(space, {"lr": 0.00124}) == ("lr",)  # 4.7 % of two decades
    assert on_edge(space, {"lr": 0.0813}) == ("lr",)
    assert on_edge(space, {"lr": 0.00127}) == ()  # the control: 5.2 %
    edge = replace(WINNER, on_edge=("lr",))
    (alarm,) = alarms("digits-cnn", {"sgd": edge, "adam": WINNER})
    assert "digits-cnn / sgd: the best lr, 0.0123, lies within 5% of an end" in alarm
    assert "widen search.space.sgd.lr in workloads/digits-cnn/params.yaml and search again" in alarm


@pytest.fixture
def table(monkeypatch, tmp_path) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("workloads/digits-cnn/search/trials.csv")
    path.parent.mkdir(parents=True)
    path.write_text(rows.to_csv(Trial, trials_of("adam")))
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"trials": SEARCH.trials + 1},
        {"budget": Budget(epochs=11)},
        {"budget": Budget(steps=220)},
        {"seed": 1},
        {"schedule": "step"},
        {"space": {**SEARCH.space, "adam": {**SEARCH.space["adam"], "lr": (0.01, 1.0)}}},
        {"space": {}},
    ],
)
def test_trials_of_another_search_are_refused(change, table):
    assert set(find_winners(ROOM)) == {"adam"}  # the control
    other = replace(ROOM, search=replace(SEARCH, **change))
    with pytest.raises(UsageError, match=r"other trials of adam .*run `dvc repro workloads/digits"):
        find_winners(other)


def test_a_room_without_a_search_or_without_trials_has_no_winners(table):
    assert find_winners(replace(ROOM, search=None)) == {}
    table.unlink()
    assert find_winners(ROOM) == {}
