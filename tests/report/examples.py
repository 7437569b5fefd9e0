"""A project of which digits-cnn was carried out, with outcomes that are made up, not trained."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from optbench.core import records, rows
from optbench.core.arm import PUBLISHED, TUNED, UNTUNED, Arm
from optbench.core.files import publish
from optbench.core.records import Diagnostic, Outcome, Point
from optbench.core.registry import load_score
from optbench.core.run import Run
from optbench.core.space import position
from optbench.core.study import CONTROL, FRESH, Study
from optbench.core.sweep import Sweep, planned_sweep
from optbench.evaluation.evaluate import Result, read_results, score_result
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary, summarise
from optbench.params.load import Room, load_params, load_room
from optbench.params.plan import studies
from optbench.report.contents import Contents
from optbench.studies.points import repeats, trials
from optbench.studies.sweep_table import MADE_BY, TRIALS, SweepTrial
from optbench.studies.trials import FILE, Trial, choice, trial_of

ROOT = Path(__file__).parents[2]
WORKLOAD = "digits-cnn"
SCORE = load_score("image_classification").SCORE
POSTS = ("sgd", "adam", "adamw", "radam", "kfac")
ARMS = (
    *(f"{name}-{schedule}" for name in POSTS for schedule in ("cosine", "one_cycle", "step")),
    *(f"{name}-warmup_cosine" for name in ("sgd", "adam", "adamw", "radam", "ngd", "prodigy")),
    "sgd-warmup_cosine-untuned",
    "adamw-warmup_cosine-untuned",
)
SUITE = {
    "arms": [*ARMS],
    "studies": ["0-3", 4],
    "repeated": ["sgd-warmup_cosine", "adamw-warmup_cosine"],
    "fresh": ["sgd-warmup_cosine", "adamw-warmup_cosine", "radam-warmup_cosine"],
}
EXAMPLES, STEPS_PER_EPOCH = 2000, 14  # of so many examples no two arms have one mean
GAINS = {
    "sgd": 0.0, "adam": -0.004, "adamw": 0.001, "radam": -0.006, "kfac": 0.004, "ngd": -0.009,
    "prodigy": -0.003, "cosine": 0.0, "one_cycle": 0.003, "step": -0.006, "warmup_cosine": 0.001,
}  # fmt: skip
FILES = (
    "params.yaml", "claims.yaml", "evidence/published.yaml", "data/dvc.yaml", "reports/dvc.yaml",
)  # fmt: skip
DIAGNOSTICS = {"kfac": "failures", "ngd": "relative_residual", "prodigy": "d"}


def make_project(folder: Path) -> None:
    """Writes the results and scores of digits-cnn beside the project's rooms, costs and claims.

    No other workload has studies.
    """
    shutil.copytree(ROOT / "workloads", folder / "workloads")
    for name in ("costs", "docs", "src"):
        (folder / name).symlink_to(ROOT / name)
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for path in folder.glob("workloads/*/params.yaml"):
        params = yaml.safe_load(path.read_text())
        params["suite"] |= {"studies": [], "repeated": [], "fresh": []}
        if path.parent.name == WORKLOAD:
            params["suite"] |= SUITE
            params["target"] = 0.97  # which some studies reach, and some do not
        path.write_text(yaml.safe_dump(params, sort_keys=False))


def carry_out(folder: Path) -> None:
    """Writes what the stages of digits-cnn would leave behind; `folder` is the current one."""
    room = load_room(WORKLOAD, load_params())
    by_key = {study.arm.key: study for study in studies(room)}
    results = folder / "results" / WORKLOAD
    for study in by_key.values():
        for span in room.suite.studies:
            for number in span.numbers:
                store(study, number, results / span.folder(study.arm.key) / str(number))
    for key in room.suite.fresh:
        store(by_key[key], FRESH, results / "fresh" / key)
    for key in room.suite.repeated:
        study, span = by_key[key], room.suite.studies[0]
        number = span.first
        winner = records.read(results / span.folder(key) / str(number)).run
        again = repeated(study, number, winner)
        publish(results / "repeats" / f"{key}.csv", rows.to_csv(Trial, again))
    for name in room.sweeps:
        store_sweep(planned_sweep(WORKLOAD, name), results / "sweeps" / name)
    control(by_key["sgd-warmup_cosine"], folder / "workloads" / WORKLOAD / "control")
    evaluate(room, folder / "reports" / WORKLOAD)


def store(study: Study, number: int, folder: Path) -> None:
    """Writes a study's result."""
    outcomes = [outcome_of(run, study) for run in trials(study, number)]
    table = [trial_of(o, study, number, n) for n, o in enumerate(outcomes, start=1)]
    winner = outcomes[choice(table, SCORE).trial - 1]
    records.write(winner, folder, {FILE: rows.to_csv(Trial, table)})


def repeated(study: Study, number: int, winner: Run) -> list[Trial]:
    """The rows of runs that repeat a winner."""
    outcomes = [outcome_of(run, study) for run in repeats(winner, number)]
    return [trial_of(o, study, number, n) for n, o in enumerate(outcomes, start=1)]


def store_sweep(sweep: Sweep, folder: Path) -> None:
    """Writes a sweep's result: scores fall from value to value, and from rate to rate."""
    table: list[SweepTrial] = []
    for place, case in enumerate(sweep.cases):
        for index, run in enumerate(sweep.runs(case)):
            rng = np.random.default_rng([run.seed, *case.run.arm.key.encode()])
            rate = index % len(sweep.lr_factors)
            values = json.dumps({"lr": run.optimizer_args["lr"]})
            value = 0.95 - 0.01 * (place % len(sweep.values)) - 0.02 * rate + rng.normal(0, 0.002)
            table.append(
                SweepTrial(
                    arm=case.key[0], value=case.key[1], study=index // len(sweep.lr_factors),
                    trial=rate + 1, seed=run.seed, values=values, validation_score=value,
                    validation_loss=0.1, test_score=value, test_loss=0.1, diverged_at_step=None,
                )
            )  # fmt: skip
    publish(folder / TRIALS, rows.to_csv(SweepTrial, table))
    publish(folder / MADE_BY, json.dumps({"plan": sweep.as_dict(), "fingerprint": {}}))


def control(study: Study, folder: Path) -> None:
    """Writes the tables of a control of 20 studies, of which 4 are repeated."""
    every: list[Trial] = []
    again: list[Trial] = []
    for number in range(CONTROL, CONTROL + 20):
        runs = trials(study, number)
        table = [
            trial_of(outcome_of(run, study), study, number, n)
            for n, run in enumerate(runs, start=1)
        ]
        every += table
        if number < CONTROL + 4:
            again += repeated(study, number, runs[choice(table, SCORE).trial - 1])
    publish(folder / "trials.csv", rows.to_csv(Trial, every))
    publish(folder / "repeats.csv", rows.to_csv(Trial, again))


def evaluate(room: Room, folder: Path) -> None:
    """Writes the scores, as the stage does."""
    results = read_results(studies(room), room.suite.studies, room.score)
    metrics = [score_result(result, target=room.target) for result in results]
    summaries = summarise(metrics, score=room.score)
    publish(folder / "studies.csv", rows.to_csv(Metrics, metrics))
    publish(folder / "summary.csv", rows.to_csv(Summary, summaries))


def outcome_of(run: Run, study: Study) -> Outcome:
    """A run whose score falls with the distance of its step size from the middle of the space.

    It diverges at the upper end.
    """
    rng = np.random.default_rng([run.seed, *study.arm.key.encode()])
    places = [position(study.space[name], run.optimizer_args[name]) for name in study.space]
    far = places[0] - 0.5 if places else 0.3 * (study.arm.tuning != PUBLISHED)
    final = 0.978 + GAINS[run.optimizer] + GAINS[run.schedule] - 0.15 * far**2
    noise, luck = rng.normal(0, 0.002, 2).tolist()  # luck: on the validation set alone
    final += noise
    has_diverged = bool(places) and places[0] > 0.97
    correct = round(EXAMPLES * min(final, 1.0))
    history = history_of(final, lag=1.2 - 20 * GAINS[run.optimizer], rng=rng)
    actual = [n % 10 for n in range(EXAMPLES)]
    last = history[-1].step
    return Outcome(
        run=run,
        packages={"torch": "2.14.1"},
        history=history[:3] if has_diverged else history,
        diagnostics=[
            Diagnostic(step=step, name=DIAGNOSTICS[run.optimizer], value=float(step == 7))
            for step in ((7, last) if run.optimizer in DIAGNOSTICS else ())
        ],
        predictions={} if has_diverged else {
            "actual": actual,
            "predicted": [d if n < correct else (d + 1) % 10 for n, d in enumerate(actual)],
            "confidence": [0.9] * EXAMPLES,
        },
        test_loss=None if has_diverged else 1 - final,
        test_score=None if has_diverged else correct / EXAMPLES,
        validation_loss=None if has_diverged else 1 - final,
        validation_score=None if has_diverged else round(min(final + luck, 1.0), 3),
        diverged_at_step=25 if has_diverged else None,
        steps=25 if has_diverged else last,
        steps_per_epoch=STEPS_PER_EPOCH,
        fingerprint=fingerprint(),
    )  # fmt: skip


def history_of(final: float, *, lag: float, rng: np.random.Generator) -> list[Point]:
    """Two points an epoch, which near the final score."""
    points = []
    for half in range(1, 21):
        epoch = half / 2
        score = final * (1 - math.exp(-epoch / lag)) + float(rng.normal(0, 0.001))
        points.append(
            Point(
                step=half * STEPS_PER_EPOCH // 2, epoch=epoch, train_loss=1 - score,
                heldout_loss=1 - score, heldout_score=min(max(score, 0.0), 1.0), lr=0.1,
                momentum=None, gradient_norm=1.0,
            )
        )  # fmt: skip
    return points


def fingerprint() -> dict[str, str | int]:
    """That of a machine whose costs were measured."""
    cost = json.loads((ROOT / "costs" / WORKLOAD / "sgd.json").read_text())
    return cost["fingerprint"]


def with_result(
    results: Sequence[Result], arm: Arm, number: int, **changes: object
) -> list[Result]:
    """The same results, but for what one study's choice left behind."""
    return [
        replace(result, outcome=replace(result.outcome, **changes))
        if (result.arm, result.number) == (arm, number)
        else result
        for result in results
    ]


def tuned(optimizer: str, schedule: str = "cosine") -> Arm:
    """A tuned arm."""
    return Arm(optimizer, schedule, TUNED)


def roughly_untuned(contents: Contents) -> Contents:
    """The same, but that the scores of untuned arms are far apart."""
    metrics = [
        replace(study, test_score=0.5 + 0.1 * study.study) if study.tuning == UNTUNED else study
        for study in contents.metrics
    ]
    return replace(contents, metrics=metrics)
