"""Trials never see the test set, and a killed search goes on where it was."""

from dataclasses import replace

import pytest

from optbench.core.run import Run
from optbench.search import carry_out as module
from optbench.search.carry_out import attempt, carry_out, kept_at
from optbench.search.trials import trial_runs
from optbench.training import assembly, identity
from optbench.training import train as training


@pytest.fixture
def runs(params) -> list[Run]:
    params["search"]["digits-cnn"] |= {"trials": 3, "epochs": 1}
    return trial_runs(params, "digits-cnn", "sgd")


class Untouchable:
    """Batches that nobody may look at."""

    def __getattr__(self, name: str):
        raise AssertionError(f"the test set's {name} was read")

    def __len__(self) -> int:
        raise AssertionError("the test set was counted")


@pytest.fixture
def untouchable_test_set(monkeypatch):
    build = assembly.build_batches
    monkeypatch.setattr(assembly, "build_batches", lambda *args: (*build(*args)[:2], Untouchable()))


def test_a_trial_never_reads_the_test_set(runs, untouchable_test_set):
    trial = attempt(runs[0], 1)
    assert 0 < trial.validation_accuracy < 1
    assert trial.lr == runs[0].optimizer_args["lr"]


def test_control_training_with_its_evaluation_does(runs, untouchable_test_set):
    with pytest.raises(AssertionError, match="the test set's epoch was read"):
        training.train(runs[0], "test")


def test_the_score_is_the_validation_split_of_the_last_epoch(runs):
    run = replace(runs[0], settings=replace(runs[0].settings, epochs=2))
    history = training.train(run, "test")[0].history
    trial = attempt(run, 1)
    assert trial.validation_accuracy == history[-1].heldout_accuracy
    assert trial.validation_loss == history[-1].heldout_loss


def test_a_trial_that_diverges_is_a_row(runs):
    trial = attempt(replace(runs[0], optimizer_args={**runs[0].optimizer_args, "lr": 1e9}), 1)
    assert trial.validation_accuracy is None
    assert trial.diverged_at_step >= 1


def test_a_killed_search_goes_on_where_it_was(runs, monkeypatch, capsys):
    kept, attempted = kept_at(runs), []

    def attempt_twice(run: Run, number: int):
        if len(attempted) == 2:
            raise KeyboardInterrupt
        attempted.append(number)
        return attempt(run, number)

    monkeypatch.setattr(module, "attempt", attempt_twice)
    with pytest.raises(KeyboardInterrupt):
        carry_out(runs, kept)
    attempted.clear()
    assert kept_at(runs) == kept
    carry_out(runs, kept)
    assert attempted == [3]
    assert "3 trials of 1 epochs, 2 done before" in capsys.readouterr().out


def test_a_resumed_search_gives_the_rows_of_an_uninterrupted_one(runs, tmp_path):
    whole = carry_out(runs, tmp_path / "whole.csv")
    carry_out(runs[:2], tmp_path / "parts.csv")
    assert carry_out(runs, tmp_path / "parts.csv") == whole


def test_what_is_kept_is_not_taken_for_another_search(runs, monkeypatch, tmp_path):
    kept = kept_at(runs)
    assert kept_at(runs) == kept
    assert kept_at(runs[:2]) != kept
    assert kept_at([replace(run, seed=1) for run in runs]) != kept
    other = [replace(run, settings=replace(run.settings, threads=2)) for run in runs]
    assert kept_at(other) != kept
    code = tmp_path / "code.py"
    code.write_text("changed")
    sources = identity.loaded_sources()
    assert any(path.name == "sgd.py" for path in sources)
    monkeypatch.setattr(identity, "loaded_sources", lambda: [*sources, code])
    assert kept_at(runs) != kept


def test_the_cost_is_said_where_a_step_has_been_timed(runs, tmp_path):
    assert module.outlook(runs, 0) == "digits-cnn/sgd: 3 trials of 1 epochs"
    folder = tmp_path / "costs/digits-cnn"
    folder.mkdir(parents=True)
    (folder / "sgd.json").write_text('{"steps_per_epoch": 100, "step_time_s": 0.1}')
    assert "about 33 s" in module.outlook(runs, 0)
    assert "1 done before: about 22 s" in module.outlook(runs, 1)
