"""Says, before it starts, what `dvc repro` will train and about how long it will take."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dvc.logger import set_loggers_level
from dvc.repo import Repo

from optbench.cli.commands import Parser
from optbench.core.duration import duration
from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS, Run
from optbench.cost.estimate import estimate_s, peak_memory_bytes
from optbench.params.load import Room, load_params, load_room, require_plain
from optbench.params.plan import cells, single_run
from optbench.scaling.locks import require_whole
from optbench.scaling.pipeline import explained


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints one line on the chosen workload."""
    Parser("plan", __doc__, example="").parse_args(arguments)
    require_whole()
    require_plain()
    params = load_params()
    room = load_room(params.workload, params)
    changed = changed_stages(room.name)
    print(outlook(room, pending_runs(room, changed)))
    return 0


def outlook(room: Room, pending: Mapping[str, Run]) -> str:
    """One sentence on the runs whose stages must be executed, by stage."""
    if not pending:
        return f"{room.name}: nothing will train"
    count = len([stage for stage in pending if stage != "run"])
    total = len(room.suite.every_arm) * len(room.suite.seeds)
    single = "the single run" if "run" in pending else "no single run"
    head = f"{room.name}: {single} and {count} of {total} cells will train"
    try:
        times = [estimate_s(run) for run in pending.values()]
    except UsageError as error:
        return f"{head}; how long is not known: {error}"
    if any(time is None for time in times):
        cost = f"dvc repro {WORKLOADS}/{room.name}/dvc.yaml:cost"
        return f"{head}; how long is not known before `{cost}` has measured a step"
    seconds = sum(time for time in times if time is not None)
    megabytes = max(peak_memory_bytes(run) or 0 for run in pending.values()) / 1e6
    return (
        f"{head}: about {duration(seconds)}, and up to {megabytes:,.0f} MB of tensors on each "
        f"device beside the data, as costs/{room.name}/ has measured a step"
    )


def changed_stages(workload: str) -> Mapping[str, Any]:
    """What DVC says has changed among all that the workload's score needs.

    It compares plans, so these are brought up to date before: seconds, and `dvc repro` would too.

    Raises:
        UsageError: DVC refuses.
    """
    quiet = set_loggers_level(logging.WARNING)
    with explained(), quiet, Repo(_wait_for_lock=True) as repo:
        repo.reproduce(f"{WORKLOADS}/{workload}/dvc.yaml:validate")
        stages: Mapping[str, Any] = repo.status(targets=[f"score@{workload}"], with_deps=True)
    return stages


def pending_runs(room: Room, changed: Mapping[str, Any]) -> dict[str, Run]:
    """The runs whose stages must be executed, by their cell, or `run`.

    Raises:
        UsageError: the room's plan lacks one.
    """
    planned = {run.cell: run for run in cells(room)} | {"run": single_run(room.name)}
    file = re.escape(f"{WORKLOADS}/{room.name}/dvc.yaml")
    pending = {}
    for stage, changes in changed.items():
        match = re.fullmatch(rf"{file}:(?:train@|train-arm@|)(.+)", stage)
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
