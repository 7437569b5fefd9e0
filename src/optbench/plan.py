"""Says, before it starts, what `dvc repro` will train and about how long it will take."""

import json
import re
import subprocess
from collections.abc import Mapping
from typing import Any

from optbench.core.run import Run
from optbench.estimate import duration, estimate_s
from optbench.params.load import Params


def outlook(params: Params) -> str:
    """One sentence on the chosen workload."""
    workload = params.workload
    pending = pending_runs(params, changed_stages(workload))
    cells = [run for name, run in pending.items() if name != "run"]
    single = "the single run" if "run" in pending else "no single run"
    total = len(params.cells(workload))
    head = f"{workload}: {single} and {len(cells)} of {total} cells will train"
    if not pending:
        return f"{workload}: nothing will train"
    times = [estimate_s(run) for run in pending.values()]
    if any(time is None for time in times):
        return f"{head}; how long is not known before `cost` has measured a step"
    seconds = sum(time for time in times if time is not None)
    return f"{head}: about {duration(seconds)}, at the step times in costs/{workload}/"


def changed_stages(workload: str) -> Mapping[str, Any]:
    """What DVC says has changed among all that the workload's score needs."""
    command = ["dvc", "status", "--json", "--with-deps", f"score@{workload}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    stages: Mapping[str, Any] = json.loads(done.stdout)
    return stages


def pending_runs(params: Params, changed: Mapping[str, Any]) -> dict[str, Run]:
    """The runs whose stages must be executed, by the last part of the stage's name."""
    workload = params.workload
    planned = {f"train@{cell.cell}": cell for cell in params.cells(workload)}
    planned["run"] = params.single_run(workload)
    pending = {}
    for stage, changes in changed.items():
        match = re.fullmatch(rf"suites/{re.escape(workload)}/dvc\.yaml:(.+)", stage)
        if match and match[1] in planned and any(map(must_run, changes)):
            pending[match[1]] = planned[match[1]]
    return pending


def must_run(change: str | Mapping[str, Any]) -> bool:
    """Whether a change makes a stage run: all but data that a download will bring back."""
    if isinstance(change, str):
        return change == "changed command"
    items = {path: state for paths in change.values() for path, state in paths.items()}
    return any(
        not (path.startswith("data/raw/") and state == "deleted") for path, state in items.items()
    )
