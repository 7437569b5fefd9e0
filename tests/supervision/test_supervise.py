"""What is told of a training, and that watching it changes no bit."""

import json
from pathlib import Path

import pytest
import torch
from tests.conftest import digits_run
from tests.training.probes import trained

from optbench.core.errors import UsageError
from optbench.core.run import Budget
from optbench.supervision import progress
from optbench.supervision.progress import VARIABLE, log_of
from optbench.supervision.supervise import train
from optbench.training.loop import Learner

pytestmark = pytest.mark.usefixtures("digits")


@pytest.mark.parametrize("split", ["full", "holdout"])
def test_a_watched_training_has_the_outcome_of_one_that_nobody_watches(split):
    run = digits_run(train_split=split)
    outcome, training = train(run, "test", Path("kept"))
    assert outcome == trained(run)
    assert not training.learner.model.training
    assert (outcome.validation_score is None) == (split == "full")


@pytest.mark.parametrize("error", ["torch", "python"])
def test_too_little_memory_is_told_and_nothing_is_made_smaller(monkeypatch, error):
    def allocate(self, batch):
        if error == "python":
            raise MemoryError
        return torch.empty(2**60, dtype=torch.uint8)  # more than any machine has

    monkeypatch.setattr(Learner, "backward", allocate)
    message = r"batch_size 64: .* smaller settings\.batch_size in workloads/digits-cnn/params\.yaml"
    with pytest.raises(UsageError, match=message):
        train(digits_run(), "test")


def test_control_another_error_is_passed_on(monkeypatch):
    def fail(self, batch):
        raise RuntimeError("another")

    monkeypatch.setattr(Learner, "backward", fail)
    with pytest.raises(RuntimeError, match="another"):
        train(digits_run(), "test")


def test_each_point_is_told_in_a_line_and_logged(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "watched.jsonl"))
    monkeypatch.setattr(progress, "PAUSE_S", 0)
    outcome, _ = train(digits_run("kfac", budget=Budget(steps=7)), "digits-cnn/run")
    lines = [json.loads(line) for line in log_of("digits-cnn/run").read_text().splitlines()]
    assert (tmp_path / "watched.jsonl").read_text() == log_of("digits-cnn/run").read_text()
    assert [line["step"] for line in lines] == list(range(1, 8))
    assert [line["since_step"] for line in lines] == list(range(7))
    assert {line["steps"] for line in lines} == {7}
    assert [line["heldout_loss"] for line in lines] == [p.heldout_loss for p in outcome.history]
    assert all(line["time_s"] >= 0 and "damping" in line for line in lines)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 7
    for line, point in zip(printed, outcome.history, strict=True):
        assert line.startswith(f"digits-cnn/run: step {point.step}/7  train loss ")
        assert f"held-out accuracy {100 * point.heldout_score:.2f} %" in line


def test_points_in_quick_succession_are_not_all_told_but_the_last_is(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PAUSE_S", 3600)
    train(digits_run(budget=Budget(steps=7)), "digits-cnn/run")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("digits-cnn/run: step 7/7  train loss ")


def test_a_training_that_goes_on_adds_to_its_log_and_a_new_one_begins_anew():
    run = digits_run(budget=Budget(steps=7))
    for _ in range(2):
        train(run, "digits-cnn/run")
        assert len(log_of("digits-cnn/run").read_text().splitlines()) == 7
