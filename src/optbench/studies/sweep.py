"""Carries out a sweep. Trials that are finished survive a kill, and one under way goes on."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.records import Outcome
from optbench.core.run import WORKLOADS
from optbench.core.score import Score
from optbench.core.sweep import RATE, Case, Sweep, from_plan, text_of
from optbench.core.tables import read_table
from optbench.studies.carry_out import SCRATCH, carry_out
from optbench.studies.table import wrong_trial
from optbench.studies.trials import Trial

TRIALS, MADE_BY = "trials.csv", "sweep.json"


@dataclass(frozen=True, kw_only=True)
class SweepTrial(Trial):
    """A trial of a sweep; `values` holds its learning rate."""

    arm: str
    value: str  # of the sweep's argument, in JSON

    @property
    def case(self) -> tuple[str, str]:
        """As `Case.key`."""
        return self.arm, self.value


def carry_out_sweep(sweep: Sweep, folder: Path) -> None:
    """Carries out all cases and stores their trials, with the plan and the environment."""
    workload = sweep.cases[0].run.workload
    scratch = f"{workload}/sweep-{sweep.name}"
    table: list[SweepTrial] = []
    fingerprint = {}
    for number, case in enumerate(sweep.cases):
        name = f"{scratch}/{case.run.arm.key}-{number}"
        outcomes = carry_out(sweep.runs(case), name=name, describe=partial(described, case))
        table += rows_of(sweep, case, outcomes)
        fingerprint = dict(outcomes[0].fingerprint)
    made_by = {"plan": sweep.as_dict(), "fingerprint": fingerprint}
    publish(folder / TRIALS, rows.to_csv(SweepTrial, table))
    publish(folder / MADE_BY, json.dumps(made_by, indent=1) + "\n")
    shutil.rmtree(SCRATCH / scratch, ignore_errors=True)


def rows_of(sweep: Sweep, case: Case, outcomes: Sequence[Outcome]) -> list[SweepTrial]:
    """A row of each trial of a case."""
    arm, value = case.key
    return [
        SweepTrial(
            arm=arm,
            value=value,
            study=index // len(sweep.lr_factors),
            trial=index % len(sweep.lr_factors) + 1,
            seed=outcome.run.seed,
            values=rate_of(outcome),
            validation_score=outcome.validation_score,
            validation_loss=outcome.validation_loss,
            test_score=outcome.test_score,
            test_loss=outcome.test_loss,
            diverged_at_step=outcome.diverged_at_step,
        )
        for index, outcome in enumerate(outcomes)
    ]


def rate_of(outcome: Outcome) -> str:
    """A run's learning rate as a table has it."""
    return json.dumps({RATE: outcome.run.optimizer_args[RATE]})


def described(case: Case, outcome: Outcome) -> str:
    """A trial in a line."""
    score = "diverged" if outcome.test_score is None else f"validation {outcome.validation_score}"
    return f"{case.run.arm} at {text_of(case.value)} {rate_of(outcome)} {score}"


def read_sweep(folder: Path, planned: Sweep, score: Score) -> list[SweepTrial]:
    """The trials that a planned sweep left behind.

    Raises:
        UsageError: they are missing or damaged, or of another sweep than the planned one.
    """
    workload = planned.cases[0].run.workload
    stage = f"{WORKLOADS}/{workload}/sweeps/dvc.yaml:sweep@{planned.name}"
    way_out = f"`dvc repro {stage}` makes it again"
    path = folder / MADE_BY
    try:
        made_by = from_plan(json.loads(path.read_text(encoding="utf-8"))["plan"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is missing or damaged ({error}): {way_out}") from error
    if text_of(made_by.as_dict()) != text_of(planned.as_dict()):
        raise UsageError(f"{path} is of another sweep than the planned one: {way_out}")
    table = read_table(
        folder / TRIALS, SweepTrial, lambda row: wrong_trial(row, score), way_out=way_out
    )
    expected = [
        (*case.key, index // len(planned.lr_factors), run.seed)
        for case in planned.cases
        for index, run in enumerate(planned.runs(case))
    ]
    if [(*row.case, row.study, row.seed) for row in table] != expected:
        raise UsageError(f"{folder / TRIALS} holds other trials than are planned: {way_out}")
    return table
