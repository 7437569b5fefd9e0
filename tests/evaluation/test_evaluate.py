"""A result counts only where it is the planned run's, and its score that of its predictions."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.evaluation.examples import (
    ACCURACY,
    ADAM,
    ERROR,
    SGD,
    diverged,
    metrics,
    outcome,
    planned,
    runs,
)

from optbench.core import records
from optbench.core.errors import UsageError
from optbench.core.run import Budget, Run
from optbench.evaluation.evaluate import (
    ResultError,
    history_at,
    rank,
    score_at,
    score_cells,
    without,
)
from optbench.evaluation.summary import summarise

PLANNED = planned()


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def stored(run: Run, **changes: Any) -> Path:
    """The folder of a cell's result."""
    folder = Path("results", run.workload, "suite", run.cell)
    records.write(outcome(run, **changes), folder)
    return folder


def refusal(trained: Run, plan: Run = PLANNED) -> str:
    """What is said of a result in the folder of the planned run."""
    records.write(outcome(trained), Path("results", plan.workload, "suite", plan.cell))
    with pytest.raises(ResultError) as error:
        score_at(f"suite/{plan.cell}", plan, target=0.9)
    return str(error.value)


def test_the_planned_runs_result_is_scored():
    stored(PLANNED)
    run = score_at(f"suite/{PLANNED.cell}", PLANNED, target=0.9)
    assert (run.test_score, run.epochs_to_target, run.cell) == (0.75, 1.0, PLANNED.cell)
    assert len(history_at(f"suite/{PLANNED.cell}", PLANNED.workload)) == 4


def test_lists_of_a_plan_are_as_the_results_tuples():
    run = planned(args={"betas": (0.9, 0.999)})
    stored(run)
    plan = replace(run, optimizer_args={"betas": [0.9, 0.999]})
    assert score_at(f"suite/{run.cell}", plan, target=0.9).test_score == 0.75


@pytest.mark.parametrize(
    ("trained", "sentence"),
    [
        (replace(PLANNED, seed=3), "seed is 3 in the result and 0 in the plan"),
        (
            planned(args={**PLANNED.optimizer_args, "lr": 0.03}),
            "optimizer_args.lr is 0.03 in the result and 0.02 in the plan",
        ),
        (
            planned(args={**PLANNED.optimizer_args, "nesterov": True}),
            "optimizer_args.nesterov is true in the result and absent in the plan",
        ),
        (
            replace(PLANNED, schedule_args={}),
            "schedule_args.final_factor is absent in the result and 0.0 in the plan",
        ),
        (planned(batch_size=32), "settings.batch_size is 32 in the result and 64 in the plan"),
        (
            planned(budget=Budget(steps=7)),
            "settings.budget.epochs is null in the result and 10 in the plan; "
            "settings.budget.steps is 7 in the result and null in the plan",
        ),
        (
            replace(PLANNED, code={**PLANNED.code, "optimizer sgd": "ef" * 32}),
            f"the code of optimizer sgd is {'ef' * 6} in the result and {'ab' * 6} in the plan",
        ),
        (
            replace(PLANNED, code={"network": "cd" * 32}),
            f"the code of optimizer sgd is absent in the result and {'ab' * 6} in the plan",
        ),
        (replace(PLANNED, optimizer="adam"), "optimizer is adam in the result and sgd in the plan"),
    ],
)
def test_a_result_of_another_run_is_refused_by_what_differs(trained, sentence):
    message = refusal(trained)
    assert sentence in message
    assert message.startswith("digits-cnn/sgd-cosine-0: results/digits-cnn/suite/sgd-cosine-0 is ")
    assert "`dvc repro` trains it again" in message
    assert message.count(" in the plan") == sentence.count(" in the plan")  # and nothing else


def test_all_that_differs_is_named():
    message = refusal(planned(seed=2, batch_size=32))
    assert "seed is 2" in message
    assert "settings.batch_size is 32" in message


def test_a_score_that_its_predictions_do_not_come_to_is_refused():
    stored(PLANNED, test_score=0.5)
    with pytest.raises(ResultError, match=r"a test score of 0.5, and its predictions come to 0.75"):
        score_cells([PLANNED], target=0.9)
    stored(PLANNED, predictions={})
    with pytest.raises(
        ResultError, match=r"a test score of 0.75, and its predictions come to None"
    ):
        score_cells([PLANNED], target=0.9)
    stored(PLANNED, test_score=None)
    with pytest.raises(
        ResultError, match=r"a test score of None, and its predictions come to 0.75"
    ):
        score_cells([PLANNED], target=0.9)


def test_a_diverged_run_is_a_result_without_predictions():
    records.write(diverged(PLANNED), Path("results/digits-cnn/suite", PLANNED.cell))
    (run,) = score_cells([PLANNED], target=0.9)
    assert (run.test_score, run.diverged_at_step) == (None, 12)
    stored(PLANNED, diverged_at_step=12)  # with a score, it did not
    with pytest.raises(ResultError, match="its predictions come to"):
        score_cells([PLANNED], target=0.9)


def test_every_bad_cell_is_named_and_a_good_one_is_not():
    good, missing, other, damaged = (planned(seed=seed) for seed in range(4))
    stored(good)
    records.write(outcome(good), Path("results/digits-cnn/suite", other.cell))
    folder = stored(damaged)
    values = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps({**values, "test_score": 1.0}))
    with pytest.raises(ResultError) as error:
        score_cells([good, missing, other, damaged], target=0.9)
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [
        f"digits-cnn/{cell.cell}" for cell in (missing, other, damaged)
    ]
    assert lines[-1] == "Run `dvc repro` to train what is missing."
    assert isinstance(error.value, UsageError)
    assert len(score_cells([good], target=0.9)) == 1


def test_the_single_run_is_left_out_of_a_suite_that_has_it():
    cells = [planned(seed=seed) for seed in range(3)]
    scored = runs(SGD, 0.9, 0.8, 0.7)
    assert [run.seed for run in without(scored, cells, cells[1])] == [0, 2]
    other = replace(cells[1], settings=replace(cells[1].settings, batch_size=32))
    assert without(scored, cells, other) == scored  # it only has the same name


def test_a_rank_counts_the_means_that_are_better():
    cells = [*runs(SGD, 0.9), *runs(ADAM, 0.8)]
    summaries = summarise(cells, score=ACCURACY)
    assert [rank(metrics(SGD, 0, s), summaries, ACCURACY) for s in (0.95, 0.9, 0.85, 0.1)] == [
        1, 1, 2, 3,
    ]  # fmt: skip
    assert rank(metrics(SGD, 0, None), summaries, ACCURACY) is None


def test_of_a_lower_score_the_lowest_ranks_first():
    summaries = summarise([*runs(SGD, 0.9), *runs(ADAM, 0.8)], score=ERROR)
    scores = (0.1, 0.8, 0.85, 0.95)
    assert [rank(metrics(SGD, 0, s), summaries, ERROR) for s in scores] == [1, 1, 2, 3]
    turned = replace(ERROR, higher_is_better=True)  # the control
    assert [rank(metrics(SGD, 0, s), summaries, turned) for s in scores] == [3, 2, 2, 1]
