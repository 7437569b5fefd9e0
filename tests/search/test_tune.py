"""Winners go into params.yaml, and nothing else of it changes."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.core.run import read_params
from optbench.search.space import Search
from optbench.search.trials import Trial, points
from optbench.search.tune import alarms, choose, on_edge, read_trials, with_winners
from optbench.search.winners import Winner

TEXT = Path("params.yaml").read_text()
SEARCH = Search(**read_params()["search"]["digits-cnn"])
WINNER = Winner(
    schedule="cosine", trials=24, epochs=10, lr=0.0123, weight_decay=3e-05,
    validation_accuracy=0.99, on_edge=(),
)  # fmt: skip


def trials_of(optimizer: str) -> list[Trial]:
    """Trials whose accuracy falls with their number."""
    return [
        Trial(
            optimizer=optimizer, trial=number, schedule=SEARCH.schedule, seed=SEARCH.seed,
            epochs=SEARCH.epochs, damping=None, **values, validation_accuracy=1 - number / 100,
            validation_loss=0.1, diverged_at_step=None,
        )
        for number, values in enumerate(points(SEARCH, optimizer), start=1)
    ]  # fmt: skip


def test_without_winners_not_a_byte_changes():
    assert with_winners(TEXT, {"digits-cnn": {}}) == TEXT


def test_a_winner_goes_under_all_schedules_of_its_key_and_nowhere_else():
    tuned = with_winners(TEXT, {"digits-cnn": {"sgd": WINNER}})
    changed = [
        (old, new)
        for old, new in zip(TEXT.splitlines(), tuned.splitlines(), strict=True)
        if old != new
    ]
    expected = "{lr: 0.0123, weight_decay: 3.0e-05}"
    assert [new.strip() for _, new in changed] == [
        f"{schedule}: {expected}" for schedule in ("cosine", "one_cycle", "step")
    ]
    values = yaml.safe_load(tuned)  # to PyYAML too, they are numbers
    expected_values = {"lr": 0.0123, "weight_decay": 3e-05}
    assert all(v == expected_values for v in values["optimizers"]["sgd"]["digits-cnn"].values())


def test_taking_winners_twice_changes_nothing_more():
    winners = {"digits-cnn": {"sgd": WINNER}}
    tuned = with_winners(TEXT, winners)
    assert with_winners(tuned, winners) == tuned


def test_the_winner_is_the_best_trial_with_its_budget():
    first = trials_of("adam")[0]
    (winner,) = choose(SEARCH, {"adam": trials_of("adam")}).values()
    assert (winner.lr, winner.weight_decay) == (first.lr, first.weight_decay)
    assert (winner.trials, winner.epochs) == (SEARCH.trials, SEARCH.epochs)
    assert winner.validation_accuracy == 0.99


def test_an_optimizer_whose_trials_all_diverged_has_no_winner():
    gone = [dataclasses.replace(t, validation_accuracy=None) for t in trials_of("adam")]
    assert choose(SEARCH, {"adam": gone}) == {}


def test_a_winner_near_an_end_of_its_range_raises_an_alarm():
    space = {"lr": [0.001, 0.1], "weight_decay": 0.0}
    assert on_edge(space, {"lr": 0.00124, "weight_decay": 0.0}) == ("lr",)  # 4.7 % of two decades
    assert on_edge(space, {"lr": 0.0813, "weight_decay": 0.0}) == ("lr",)
    assert on_edge(space, {"lr": 0.00127, "weight_decay": 0.0}) == ()  # the control: 5.2 %
    edge = dataclasses.replace(WINNER, on_edge=("lr",))
    (alarm,) = alarms({"digits-cnn": {"sgd": edge, "adam": WINNER}})
    assert "widen search.digits-cnn.space.sgd.lr and search again" in alarm


@pytest.mark.parametrize(
    "change",
    [
        {"trials": SEARCH.trials + 1},
        {"epochs": SEARCH.epochs + 1},
        {"seed": 1},
        {"space": {**SEARCH.space, "adam": {**SEARCH.space["adam"], "lr": [0.01, 1.0]}}},
        {"space": {}},
    ],
)
def test_trials_of_another_search_are_refused(change, tmp_path):
    path = tmp_path / "digits-cnn/trials.csv"
    path.parent.mkdir()
    path.write_text(rows.to_csv(Trial, trials_of("adam")))
    assert read_trials(path, SEARCH) == {"adam": trials_of("adam")}  # the control
    with pytest.raises(UsageError, match="run `dvc repro searches/digits-cnn"):
        read_trials(path, dataclasses.replace(SEARCH, **change))


def test_a_broken_table_is_named(tmp_path):
    path = tmp_path / "digits-cnn/trials.csv"
    path.parent.mkdir()
    path.write_text("lr\n1\n")
    with pytest.raises(UsageError, match=r"trials\.csv is no table of trials"):
        read_trials(path, SEARCH)
