"""What there is to do before all is up to date: what trains, and about how long."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from dvc.logger import set_loggers_level
from dvc.repo import Repo

from optbench.core.duration import duration
from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS, Run, plan_of
from optbench.core.sweep import planned_sweep
from optbench.cost.estimate import estimate_s, peak_memory_bytes
from optbench.evaluation.text import counted
from optbench.params.load import Room, load_params, load_room, rooms
from optbench.params.plan import single_run, studies
from optbench.scaling.forecast import Forecast
from optbench.scaling.locks import written_whole
from optbench.scaling.names import kind_of
from optbench.scaling.pipeline import Changes, Pipeline, each, explained
from optbench.studies.points import SEEDS

# Stages of these kinds take minutes or more, and nothing says how long.
UNTIMED = {"cost", "control"}
REPEAT, SWEEP = "repeat@", "sweep@"


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a stage trains: runs that take as long as this one."""

    run: Run
    count: int
    studies: int = 0


def file_of(workload: str) -> str:
    """The file of a workload's stages."""
    return f"{WORKLOADS}/{workload}/dvc.yaml"


def address(workload: str, stage: str) -> str:
    """Of a workload's stage, as DVC has it."""
    file = file_of(workload)
    if stage.startswith(SWEEP):
        file = f"{WORKLOADS}/{workload}/sweeps/dvc.yaml"
    return f"{file}:{stage}"


def planned_pipeline(workload: str) -> Pipeline:
    """The stages that the chosen workload's score needs, or all of another workload's.

    What has changed is seen by comparing plans, so these are brought up to date before: seconds,
    and `dvc repro` would too.

    Raises:
        UsageError: DVC refuses.
    """
    quiet = set_loggers_level(logging.WARNING)
    with explained(), written_whole(), quiet, Repo(_wait_for_lock=True) as repo:
        repo.reproduce(f"{file_of(workload)}:validate")
    is_chosen = workload == load_params().workload
    return Pipeline([f"score@{workload}" if is_chosen else file_of(workload)])


def pending_work(room: Room, changes: Mapping[str, Changes]) -> dict[str, Work]:
    """What of the plan's runs must be executed, by the stage's name, or `run`.

    Raises:
        UsageError: the room's plan lacks one.
    """
    planned = {}
    if (plan_of(room.name) / "run.json").is_file():  # not where it has no row for it
        planned["run"] = Work(run=single_run(room.name), count=1)
    for study in studies(room):
        for stage, count in [
            (f"fresh@{study.arm.key}", 1),
            *((f"study@{study.arm.key}-{span}", len(span.numbers)) for span in room.suite.studies),
        ]:
            planned[stage] = Work(run=study.run, count=count * study.trials, studies=count)
        planned[f"{REPEAT}{study.arm.key}"] = Work(run=study.run, count=SEEDS)
    for name in room.sweeps:
        sweep = planned_sweep(room.name, name)
        planned[f"{SWEEP}{name}"] = Work(run=sweep.cases[0].run, count=sweep.trials)
    return {
        stage: work
        for stage, work in planned.items()
        if must_run(changes.get(address(room.name, stage), ()))
    }


def must_run(changes: Changes) -> bool:
    """Whether changes make a stage run: all but data that a download will bring back."""
    return any(
        not is_to_come(path, state) if path else what == "changed command"
        for what, path, state in each(changes)
    )


def is_to_come(path: str, state: object) -> bool:
    """Whether it is data that a download will bring back."""
    return path.startswith("data/raw/") and state == "deleted"


def seconds_of(pending: Mapping[str, Work]) -> dict[str, float] | None:
    """How long each stage takes by the measured cost of a step; None where one was not measured.

    Raises:
        UsageError: a measured cost is damaged, or holds what cannot be.
    """
    seconds = {}
    for stage, work in pending.items():
        each = estimate_s(work.run)
        if each is None:
            return None
        seconds[stage] = each * work.count
    return seconds


def in_words(room: Room, pending: Mapping[str, Work]) -> str:
    """One sentence on the runs whose stages must be executed, by stage."""
    if not pending:
        return f"{room.name}: nothing will train"
    head = f"{room.name}: {_listed(pending)}"
    try:
        seconds = seconds_of(pending)
    except UsageError as error:
        return f"{head}; how long is not known: {error}"
    if seconds is None:
        cost = f"dvc repro {file_of(room.name)}:cost"
        return f"{head}; how long is not known before `{cost}` has measured a step"
    megabytes = max(peak_memory_bytes(work.run) or 0 for work in pending.values()) / 1e6
    return (
        f"{head}: about {duration(sum(seconds.values()))}, and up to {megabytes:,.0f} MB of "
        f"tensors on each device beside the data, as costs/{room.name}/ has measured a step"
    )


def _listed(pending: Mapping[str, Work]) -> str:
    """What trains."""
    repeats, sweeps = (
        len([stage for stage in pending if stage.startswith(kind)]) for kind in (REPEAT, SWEEP)
    )
    studies = sum(work.studies for work in pending.values())
    parts = ["the single run"] if "run" in pending else []
    parts += [counted(studies, "study")] if studies else []
    parts += [counted(sweeps, "sweep")] if sweeps else []
    again = counted(repeats, "winner")
    if not parts:
        return f"{again} will train again"
    *others, last = parts
    head = f"{', '.join(others)} and {last} will train" if others else f"{last} will train"
    return f"{head}, and {again} again" if repeats else head


def forecast(changes: Mapping[str, Changes]) -> Forecast:
    """What `optbench repro` can tell of what will train, in the rooms of the stages named.

    Raises:
        UsageError: params.yaml is not usable.
    """
    params = load_params()
    sentences: list[str] = []
    seconds: dict[str, float] = {}
    is_known = not any(kind_of(name) in UNTIMED and must_run(of) for name, of in changes.items())
    for name in rooms():
        if not any(stage.startswith(f"{WORKLOADS}/{name}/") for stage in changes):
            continue
        room = load_room(name, params)
        pending = pending_work(room, changes)
        if pending:
            sentences.append(in_words(room, pending))
        try:
            found = seconds_of(pending)
        except UsageError:  # which the sentence says
            found = None
        is_known = is_known and found is not None
        seconds |= {address(name, stage): time for stage, time in (found or {}).items()}
    return Forecast(sentences=sentences, seconds=seconds if is_known else None)
