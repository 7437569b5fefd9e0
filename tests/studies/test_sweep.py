"""A sweep is real runs, goes on where it was killed, and is refused where it is another's."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import digits_run
from tests.evaluation.examples import ACCURACY
from tests.training.probes import trained

from optbench.core.errors import UsageError
from optbench.core.run import Budget
from optbench.core.sweep import Case, Sweep, from_plan
from optbench.studies import carry_out as module
from optbench.studies.sweep import carry_out_sweep
from optbench.studies.sweep_table import MADE_BY, TRIALS, read_sweep
from optbench.supervision.supervise import train

FOLDER = Path("results/digits-cnn/sweeps/batch_size")


@pytest.fixture
def sweep(digits) -> Sweep:
    run = digits_run("sgd", "cosine", budget=Budget(epochs=1), train_split="holdout")
    cases = [
        Case(value=size, run=replace(run, settings=replace(run.settings, batch_size=size)))
        for size in (64, 256)
    ]
    return Sweep(name="batch_size", argument="batch_size", lr_factors=(1.0, 0.1), studies=2,
                 cases=cases)  # fmt: skip


def test_trials_are_the_runs_that_they_are_alone(sweep):
    carry_out_sweep(sweep, FOLDER)
    table = read_sweep(FOLDER, sweep, ACCURACY)
    alone = [trained(run) for case in sweep.cases for run in sweep.runs(case)]
    assert [t.validation_loss for t in table] == [o.validation_loss for o in alone]
    assert [t.test_score for t in table] == [o.test_score for o in alone]
    assert [(t.value, t.study, t.trial) for t in table] == [
        (value, study, trial) for value in ("64", "256") for study in (0, 1) for trial in (1, 2)
    ]
    assert len({t.validation_loss for t in table}) == 8


def test_a_killed_sweep_goes_on_where_it_was(sweep, monkeypatch):
    carry_out_sweep(sweep, FOLDER)
    whole = (FOLDER / TRIALS).read_bytes()
    begun: list[int] = []

    def train_five(run, name, kept):
        if len(begun) == 5:
            raise KeyboardInterrupt
        begun.append(run.seed)
        return train(run, name, kept)

    monkeypatch.setattr(module, "train", train_five)
    with pytest.raises(KeyboardInterrupt):
        carry_out_sweep(sweep, FOLDER)
    begun.clear()
    carry_out_sweep(sweep, FOLDER)
    assert len(begun) == 3
    assert (FOLDER / TRIALS).read_bytes() == whole
    assert not list(Path("scratch/studies").rglob("*.csv"))


def test_a_plan_is_read_back_as_it_was(sweep):
    assert from_plan(json.loads(json.dumps(sweep.as_dict()))).as_dict() == {
        **sweep.as_dict(), "lr_factors": [1.0, 0.1],
    }  # fmt: skip


def test_what_is_of_another_sweep_or_damaged_is_refused(sweep):
    carry_out_sweep(sweep, FOLDER)
    read_sweep(FOLDER, sweep, ACCURACY)  # the control
    with pytest.raises(UsageError, match="is of another sweep than the planned one: `dvc repro"):
        read_sweep(FOLDER, replace(sweep, studies=3), ACCURACY)
    text = (FOLDER / TRIALS).read_text()
    (FOLDER / TRIALS).write_text("\n".join(text.splitlines()[:-1]) + "\n")
    with pytest.raises(UsageError, match="holds other trials than are planned"):
        read_sweep(FOLDER, sweep, ACCURACY)
    (FOLDER / MADE_BY).write_text("{}")
    with pytest.raises(UsageError, match="is missing or damaged"):
        read_sweep(FOLDER, sweep, ACCURACY)
