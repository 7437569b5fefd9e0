"""Carries out a sweep. Trials that are finished survive a kill, and one under way goes on."""

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from optbench.core import rows
from optbench.core.files import publish
from optbench.core.records import Outcome
from optbench.core.sweep import RATE, Case, Sweep, text_of
from optbench.studies.carry_out import SCRATCH, carry_out
from optbench.studies.sweep_table import MADE_BY, TRIALS, SweepTrial


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
