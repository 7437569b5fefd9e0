"""A result counts only where it is the planned study's, and its scores those of its choice."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.evaluation.examples import ACCURACY, SGD, diverged, outcome, planned, study_of

from optbench.core import records, rows
from optbench.core.errors import UsageError
from optbench.core.records import Outcome
from optbench.core.run import Budget, Run
from optbench.core.span import Span
from optbench.core.study import Study
from optbench.evaluation.evaluate import (
    ResultError,
    read_result,
    read_results,
    score_result,
    score_single,
)
from optbench.studies.points import trials
from optbench.studies.trials import FILE, Trial, choice, trial_of

PLANNED = planned()
STUDY = study_of()
VALIDATION = (0.8, 0.9, 0.7)  # of the trials: the second is the best


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def outcomes(study: Study, number: int) -> list[Outcome]:
    return [
        outcome(run, validation_score=score, validation_loss=1 - score)
        for run, score in zip(trials(study, number), VALIDATION, strict=True)
    ]


def stored(
    study: Study = STUDY, number: int = 0, *, chosen: int | None = None, **changes: Any
) -> Path:
    """The folder of a study's result; `changes` to what its choice left behind."""
    every = outcomes(study, number)
    table = [trial_of(o, study, number, i) for i, o in enumerate(every, start=1)]
    winner = every[(chosen or choice(table, ACCURACY).trial) - 1]
    folder = Path("results", study.workload) / place(study, number)
    text = rows.to_csv(Trial, table)
    records.write(replace(winner, **changes), folder, {FILE: text})
    return folder


def read(study: Study = STUDY, number: int = 0):
    return read_result(study, number, place(study, number), ACCURACY)


def place(study: Study, number: int) -> Path:
    return Path("suite") / f"{study.arm.key}-0-9" / str(number)


def refusal(trained: Run, plan: Run = PLANNED) -> str:
    """What is said of a result in the place of the planned single run."""
    records.write(outcome(trained), Path("results", plan.workload, "run"))
    with pytest.raises(ResultError) as error:
        score_single(plan, target=0.9)
    return str(error.value)


def test_a_study_is_its_best_trial_by_validation():
    stored()
    result = read()
    assert [trial.trial for trial in result.trials] == [1, 2, 3]
    assert result.outcome.run == trials(STUDY, 0)[1]
    metrics = score_result(result, target=0.9)
    assert (metrics.arm, metrics.study, metrics.seed) == (SGD, 0, 1)
    assert (metrics.test_score, metrics.validation_score, metrics.epochs_to_target) == (
        0.75, 0.9, 1.0,
    )  # fmt: skip


def test_another_trial_than_the_best_is_no_result():
    stored(chosen=1)
    with pytest.raises(ResultError, match="seed is 0 in the result and 1 in the plan"):
        read()


def test_a_result_of_other_scores_than_its_row_is_refused():
    stored(validation_score=0.95)
    with pytest.raises(ResultError, match="holds another run than trial 2"):
        read()


def test_trials_of_other_points_seeds_or_numbers_are_refused():
    folder = stored()
    for other in (study_of(trials=2), study_of(space={"lr": (0.001, 0.2)})):
        with pytest.raises(ResultError, match="holds other trials of sgd / cosine than are plan"):
            read(other)
    folder.rename(folder.with_name("1"))
    with pytest.raises(ResultError, match="holds other trials"):
        read(number=1)


def test_a_table_that_was_changed_is_refused_by_its_digest():
    folder = stored()
    path = folder / FILE
    path.write_text(path.read_text().replace("0.9,", "0.5,", 1))
    with pytest.raises(ResultError, match=r"trials.csv is damaged: its sha256"):
        read()


def test_lists_of_a_plan_are_as_the_results_tuples():
    run = planned(args={"betas": (0.9, 0.999)})
    records.write(outcome(run), Path("results/digits-cnn/run"))
    plan = replace(run, optimizer_args={"betas": [0.9, 0.999]})
    assert score_single(plan, target=0.9).test_score == 0.75


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
    assert message.startswith("digits-cnn/run: results/digits-cnn/run is ")
    assert "`dvc repro` trains it again" in message
    assert message.count(" in the plan") == sentence.count(" in the plan")  # and nothing else


def test_all_that_differs_is_named():
    message = refusal(planned(seed=2, batch_size=32))
    assert "seed is 2" in message
    assert "settings.batch_size is 32" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_score": 0.5}, r"a test score of 0.5, and its predictions come to 0.75"),
        ({"predictions": {}}, r"a test score of 0.75, and its predictions come to None"),
        ({"test_score": None}, r"a test score of None, and its predictions come to 0.75"),
        ({"diverged_at_step": 12}, "its predictions come to"),
    ],
)
def test_a_score_that_its_predictions_do_not_come_to_is_refused(changes, words):
    records.write(outcome(PLANNED, **changes), Path("results/digits-cnn/run"))
    with pytest.raises(ResultError, match=words):
        score_single(PLANNED, target=0.9)


def test_a_study_whose_trials_all_diverged_is_a_result_without_predictions():
    study = study_of(trials=1)
    (run,) = trials(study, 0)
    lost = diverged(run)
    table = rows.to_csv(Trial, [trial_of(lost, study, 0, 1)])
    records.write(lost, Path("results/digits-cnn") / place(study, 0), {FILE: table})
    metrics = score_result(read(study), target=0.9)
    assert (metrics.test_score, metrics.diverged_at_step) == (None, 12)


def test_every_bad_study_is_named_and_a_good_one_is_not():
    for number in (0, 2, 3):
        stored(number=number)
    folder = Path("results/digits-cnn/suite/sgd-cosine-0-9")
    (folder / "2/run.json").unlink()
    values = json.loads((folder / "3/metrics.json").read_text())
    (folder / "3/metrics.json").write_text(json.dumps({**values, "test_score": 1.0}))
    with pytest.raises(ResultError) as error:
        read_results([STUDY], [Span(0, 9)], ACCURACY)
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [
        f"digits-cnn/sgd-cosine-{number}" for number in (1, 2, 3, *range(4, 10))
    ]
    assert lines[-1] == "Run `dvc repro` to carry out what is missing."
    assert isinstance(error.value, UsageError)


def test_studies_are_read_in_the_order_of_their_spans():
    for number in (4, 0, 1):
        folder = stored(number=number)
        span = Span(4, 4) if number == 4 else Span(0, 1)
        target = Path("results/digits-cnn") / span.folder("sgd-cosine") / str(number)
        target.parent.mkdir(exist_ok=True)
        folder.rename(target)
    results = read_results([STUDY], [Span(4, 4), Span(0, 1)], ACCURACY)
    assert [result.number for result in results] == [4, 0, 1]
    assert [result.sums.parent.parent.name for result in results] == [
        "sgd-cosine-4", "sgd-cosine-0-1", "sgd-cosine-0-1",
    ]  # fmt: skip
