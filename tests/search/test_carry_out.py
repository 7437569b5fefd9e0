"""Trials never see the test set, and a killed search goes on where it was."""

from dataclasses import replace

import pytest
from tests.conftest import digits_run
from tests.training.probes import trained

from optbench.core.run import Budget, Run
from optbench.cost.cost import Cost, cost_path
from optbench.cost.measured import PLACE
from optbench.optimizers import ngd
from optbench.search import carry_out as module
from optbench.search.attempt import attempt
from optbench.search.carry_out import carry_out, kept_at
from optbench.tasks.image_classification.task import ImageClassification

VALUES = [{"lr": 0.01}, {"lr": 0.02}, {"lr": 0.04}]


@pytest.fixture
def runs(digits) -> list[Run]:
    return [
        digits_run("sgd", "cosine", args=point, budget=Budget(epochs=1), train_split="holdout")
        for point in VALUES
    ]


@pytest.fixture
def untouchable_test_set(monkeypatch):
    """A test set that tells its size, by which points are planned, and nobody may look at."""
    test = ImageClassification.test

    def untouchable(self, limit=None):
        batches = test(self, limit)

        def refuse(*_):
            raise AssertionError("the test set was read")

        batches.epoch = refuse
        return batches

    monkeypatch.setattr(ImageClassification, "test", untouchable)


def test_a_trial_never_reads_the_test_set(runs, untouchable_test_set):
    trial = attempt(runs[0], VALUES[0], 1)
    assert 0 < trial.validation_score < 1
    assert trial.hyper == VALUES[0]
    assert (trial.optimizer, trial.trial, trial.budget) == ("sgd", 1, "1 epoch")


def test_control_training_with_its_evaluation_does(runs, untouchable_test_set):
    with pytest.raises(AssertionError, match="the test set was read"):
        trained(runs[0])


def test_the_score_is_the_whole_validation_splits_after_the_last_step(runs):
    outcome = trained(runs[0])
    trial = attempt(runs[0], VALUES[0], 1)
    assert trial.validation_score == outcome.validation_score
    assert trial.validation_loss == outcome.validation_loss
    assert trial.validation_loss != outcome.history[-1].heldout_loss  # of a part of it


def test_a_trial_that_diverges_is_a_row(runs):
    values = {"lr": 1e9}
    trial = attempt(
        replace(runs[0], optimizer_args={**runs[0].optimizer_args, **values}), values, 1
    )
    assert trial.validation_score is None
    assert trial.diverged_at_step >= 1
    assert "diverged at step" in module.describe(trial, "image_classification")


def test_a_trial_whose_numbers_break_is_a_row(digits, monkeypatch, capsys):
    monkeypatch.setattr(ngd, "REFUSE_ABOVE", -1.0)
    run = digits_run("ngd", "cosine", budget=Budget(epochs=1), train_split="holdout")
    trial = attempt(run, {"lr": 0.1}, 1)
    assert trial.validation_score is trial.diverged_at_step is None
    assert "raise damping" in capsys.readouterr().out
    assert "stopped: its numbers broke" in module.describe(trial, "image_classification")


def test_a_killed_search_goes_on_where_it_was(runs, monkeypatch, capsys):
    kept, attempted = kept_at(runs), []

    def attempt_twice(run: Run, values, number: int):
        if len(attempted) == 2:
            raise KeyboardInterrupt
        attempted.append(number)
        return attempt(run, values, number)

    monkeypatch.setattr(module, "attempt", attempt_twice)
    with pytest.raises(KeyboardInterrupt):
        carry_out(runs, VALUES, kept)
    attempted.clear()
    assert kept_at(runs) == kept
    carry_out(runs, VALUES, kept)
    assert attempted == [3]
    assert "3 trials of 1 epoch, 2 done before" in capsys.readouterr().out


def test_a_resumed_search_gives_the_rows_of_an_uninterrupted_one(runs, tmp_path):
    whole = carry_out(runs, VALUES, tmp_path / "whole.csv")
    carry_out(runs[:2], VALUES[:2], tmp_path / "parts.csv")
    assert carry_out(runs, VALUES, tmp_path / "parts.csv") == whole
    assert [trial.trial for trial in whole] == [1, 2, 3]
    assert len({trial.validation_loss for trial in whole}) == 3


def test_what_is_kept_is_not_taken_for_another_search(runs):
    kept = kept_at(runs)
    assert kept_at(runs) == kept
    assert kept_at(runs[:2]) != kept
    assert kept_at([replace(run, seed=1) for run in runs]) != kept
    assert kept_at([replace(run, code={**run.code, "training": "1"}) for run in runs]) != kept
    other = [replace(run, settings=replace(run.settings, threads=2)) for run in runs]
    assert kept_at(other) != kept


def test_the_cost_is_said_where_a_step_has_been_timed(runs):
    assert module.outlook(runs, 0) == "digits-cnn/sgd: 3 trials of 1 epoch"
    cost = Cost(
        step_time_s=0.1, sgd_step_time_s=0.1, step_time_ratio=1.0, step_time_ratio_q1=1.0,
        step_time_ratio_q3=1.0, pairs=3, ratio_by_kind={"plain": 1.0}, steps_per_epoch=100,
        optimizer_state_bytes=1, peak_memory_bytes=1,
        fingerprint={**dict.fromkeys(PLACE, ""), "device": "cpu", "threads": 1, "devices": "1"},
    )  # fmt: skip
    path = cost_path("digits-cnn", "sgd")
    path.parent.mkdir(parents=True)
    path.write_text(cost.to_json())
    assert "about 32 s" in module.outlook(runs, 0)  # 3 x 10 s, and 5 % for scoring
    assert "1 done before: about 21 s" in module.outlook(runs, 1)
