"""A study that is killed goes on where it was, to the same trials."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import digits_run
from tests.training.probes import trained

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.run import Budget
from optbench.core.study import Study
from optbench.cost.cost import Cost, cost_path
from optbench.cost.measured import PLACE
from optbench.optimizers import ngd
from optbench.studies import carry_out as module
from optbench.studies.carry_out import carry_out_study, forget, kept_at, outlook, repeat
from optbench.studies.points import trials
from optbench.supervision.supervise import train

SPACE = {"lr": (0.01, 0.1)}


def study_of(optimizer: str = "sgd", count: int = 3, space=SPACE, **changes) -> Study:
    settings = {"budget": Budget(epochs=1), "train_split": "holdout", **changes}
    run = digits_run(optimizer, "cosine", **settings)
    return Study(arm=Arm(optimizer, "cosine"), run=run, space=space, trials=count)


@pytest.fixture
def study(digits) -> Study:
    return study_of()


def test_trials_are_the_runs_that_they_are_alone(study):
    table, outcomes = carry_out_study(study, 2)
    alone = [trained(run) for run in trials(study, 2)]
    assert [o.history for o in outcomes] == [o.history for o in alone]
    assert [t.validation_score for t in table] == [o.validation_score for o in alone]
    assert [t.test_loss for t in table] == [o.test_loss for o in alone]
    assert [(t.study, t.trial) for t in table] == [(2, 1), (2, 2), (2, 3)]
    assert len({t.validation_loss for t in table}) == 3
    # The choice is by the whole validation split, not by the part of it that draws the curve.
    assert table[0].validation_loss != outcomes[0].history[-1].heldout_loss


def test_a_killed_study_goes_on_where_it_was_to_the_same_trials(study, monkeypatch, capsys):
    whole, _ = carry_out_study(study, 0)
    forget(study, 0)
    begun: list[int] = []

    def train_twice(run, name, kept):
        if len(begun) == 2:
            raise KeyboardInterrupt
        begun.append(run.seed)
        return train(run, name, kept)

    monkeypatch.setattr(module, "train", train_twice)
    with pytest.raises(KeyboardInterrupt):
        carry_out_study(study, 0)
    assert begun == [0, 1]
    begun.clear()
    capsys.readouterr()
    assert carry_out_study(study, 0)[0] == whole
    assert begun == [2]
    assert "3 runs of 1 epoch, 2 done before" in capsys.readouterr().out
    forget(study, 0)
    assert not list(Path("scratch/studies").rglob("*.csv"))


def test_a_trial_that_was_damaged_meanwhile_is_trained_again(study, capsys):
    whole, _ = carry_out_study(study, 0)
    folder = kept_at(trials(study, 0), "digits-cnn/sgd-cosine-0")
    (folder / "0001/history.csv").write_text("")
    capsys.readouterr()
    assert carry_out_study(study, 0)[0] == whole
    assert "2 done before" in capsys.readouterr().out


def test_what_is_kept_is_not_taken_for_another_study(study):
    runs = trials(study, 0)
    kept = kept_at(runs, "a")
    assert kept_at(trials(study, 0), "a") == kept
    assert kept_at(runs[:2], "a") != kept
    assert kept_at(trials(study, 1), "a") != kept
    assert kept_at([replace(r, code={**r.code, "training": "1"}) for r in runs], "a") != kept
    other = [replace(r, settings=replace(r.settings, threads=2)) for r in runs]
    assert kept_at(other, "a") != kept


def test_a_winner_is_repeated_with_other_seeds_alone(study):
    _, outcomes = carry_out_study(study, 0)
    again = repeat(study, 0, outcomes[1].run)
    assert {t.values for t in again} == {f'{{"lr": {outcomes[1].run.optimizer_args["lr"]}}}'}
    assert len({t.seed for t in again} | {0, 1, 2}) == 8
    assert len({t.validation_loss for t in again}) == 5


def test_numbers_that_break_are_a_trials_result(digits, monkeypatch, caplog):
    monkeypatch.setattr(ngd, "REFUSE_ABOVE", -1.0)
    table, _ = carry_out_study(study_of("ngd", 2), 0)
    assert [t.diverged_at_step for t in table] == [1, 1]
    assert [t.test_score for t in table] == [None, None]
    assert "step 1: " in caplog.text
    assert "raise damping" in caplog.text


def test_trials_that_nothing_is_held_out_for_are_refused(digits):
    with pytest.raises(UsageError, match="holds out no validation set on digits"):
        carry_out_study(study_of(count=2, train_split="full"), 0)
    fixed = study_of(count=1, space={}, train_split="full")
    assert (
        carry_out_study(fixed, 0)[0][0].validation_score is None
    )  # the control: nothing to choose


def test_the_cost_is_said_where_a_step_has_been_timed(study):
    runs = trials(study, 0)
    assert outlook(runs, [None] * 3, "a") == "a: 3 runs of 1 epoch"
    cost = Cost(
        step_time_s=0.1, sgd_step_time_s=0.1, step_time_ratio=1.0, step_time_ratio_q1=1.0,
        step_time_ratio_q3=1.0, pairs=3, ratio_by_kind={"plain": 1.0}, steps_per_epoch=100,
        optimizer_state_bytes=1, peak_memory_bytes=1,
        fingerprint={**dict.fromkeys(PLACE, ""), "device": "cpu", "threads": 1, "devices": "1"},
    )  # fmt: skip
    path = cost_path("digits-cnn", "sgd")
    path.parent.mkdir(parents=True)
    path.write_text(cost.to_json())
    assert "about 32 s" in outlook(runs, [None] * 3, "a")  # 3 x 10 s, and 5 % for scoring
