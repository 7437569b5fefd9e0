"""Tables of a sweep's trials, read back: what is of another sweep than the planned is refused."""

import json
from dataclasses import dataclass
from pathlib import Path

from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS
from optbench.core.score import Score
from optbench.core.sweep import Sweep, from_plan, text_of
from optbench.core.tables import read_table
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
