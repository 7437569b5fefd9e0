"""Reads and validates params.yaml, the project's and those of the rooms."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from optbench.core.arm import TUNED, UNTUNED, Arm
from optbench.core.errors import UsageError
from optbench.core.registry import load_score
from optbench.core.run import WORKLOADS, Settings
from optbench.core.score import Score
from optbench.core.space import Space
from optbench.params import check_room as rules
from optbench.params import signatures
from optbench.params.check import Checker
from optbench.params.check_sweep import check_sweep
from optbench.params.document import read_yaml
from optbench.params.listed import strangers, unlisted_dataset, unlisted_workload
from optbench.params.messages import PARAMS, ParamsError, unknown
from optbench.params.schema import Override, RoomDocument, Sweep, keys

Args = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Params:
    """The project's params.yaml: the single run, and the schedules with all their arguments."""

    workload: str
    optimizer: str
    schedule: str
    seed: int
    override: Override
    schedules: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Room(RoomDocument):
    """A workload: its params.yaml, with all arguments of its optimizers, and what it measures."""

    sweeps: Mapping[str, Sweep]
    score: Score

    def space(self, arm: Arm) -> Space:
        """What a study of an arm searches; nothing where its point is fixed."""
        return self.search.space[arm.optimizer] if self.search and arm.tuning == TUNED else {}

    def trials(self, arm: Arm) -> int:
        """Of each study of an arm."""
        return self.search.trials if self.search and self.space(arm) else 1

    def single_args(self, arm: Arm) -> dict[str, Any]:
        """An arm's arguments in the single run: its optimizer's row with the best of its trials."""
        return {**self.optimizers[arm.optimizer], **self.best.get(arm.key, {})}

    def study_args(self, arm: Arm) -> dict[str, Any]:
        """An arm's arguments in its studies, but for what they search."""
        if arm.tuning == UNTUNED:
            return signatures.untuned(arm.optimizer)
        row, space = self.optimizers[arm.optimizer], self.space(arm)
        return {name: value for name, value in row.items() if name not in space}


def rooms() -> tuple[str, ...]:
    """The names of all workloads, sorted."""
    return tuple(sorted(path.parent.name for path in WORKLOADS.glob("*/params.yaml")))


def scores_of_rooms() -> dict[str, Score]:
    """What each workload measures; one whose room is not valid is left to its `validate`."""
    by_workload: dict[str, Score] = {}
    for name in rooms():
        try:
            task = _read(WORKLOADS / name / PARAMS)["settings"]["task"]
        except (ParamsError, KeyError, TypeError):
            continue
        if task in signatures.names("tasks"):
            by_workload[name] = load_score(task).SCORE
    return by_workload


def load_params(path: Path = PARAMS) -> Params:
    """Reads and validates the project's params.yaml.

    Raises:
        ParamsError: the file is not usable; the message holds every problem that was found.
    """
    checker, raw = Checker(), _read(path)
    params = checker.parse(Params, (), raw)
    if isinstance(raw.get("override"), Mapping):
        # Every key must exist, else `dvc exp run -S override.lr=...` cannot set it.
        checker.problems += [
            f"override.{name} is missing: add it without a value"
            for name in keys(Override)
            if name not in raw["override"]
        ]
    if params is None:
        raise ParamsError(checker.problems, path)
    checker.choice("workload", params.workload, "workload", rooms())
    checker.name("optimizers", params.optimizer, "optimizer")
    if checker.name("schedules", params.schedule, "schedule"):
        checker.choice("schedule", params.schedule, "schedule", params.schedules)
    checker.seed("seed", params.seed)
    checker.problems += strangers(rooms())
    if params.override.device is not None:
        checker.device(params.override.device, "override.device")
    if params.override.epochs is not None and params.override.steps is not None:
        checker.add("override: names both epochs and steps: name one of the two")
    schedules = {
        name: args
        for name, values in params.schedules.items()
        if checker.name("schedules", name, f"schedules.{name}")
        and (args := checker.arguments("schedules", name, ("schedules", name), values)) is not None
    }
    if checker.problems:
        raise ParamsError(checker.problems, path)
    return replace(params, schedules=schedules)


def load_room(name: str, params: Params) -> Room:
    """Reads and validates a room's params.yaml, beside the project's.

    Raises:
        ParamsError: the file is not usable; the message holds every problem that was found.
        UsageError: there is no such room.
    """
    if name not in rooms():
        raise UsageError(unknown("argument", "workload", name, rooms()))
    path = WORKLOADS / name / PARAMS
    checker = Checker()
    room = _room(checker, _read(path), params, name)
    if room is None or checker.problems:
        raise ParamsError(checker.problems, path)
    return room


def _room(checker: Checker, raw: Args, params: Params, name: str) -> Room | None:
    """The room, or None where its shape is so wrong that no more can be said."""
    document = checker.parse(RoomDocument, (), raw)
    if document is None:
        return None
    if document.name != name:
        checker.add(f"name: got '{document.name}': must be the folder's, '{name}'")
    settings = rules.check_settings(checker, document.settings)
    if problem := unlisted_dataset(settings.dataset):
        checker.add(f"settings.dataset: {problem}")
    if document.suite.studies:
        checker.problems += [f"suite.studies: {problem}" for problem in unlisted_workload(name)]
    rows = {
        optimizer: args
        for optimizer, row in document.optimizers.items()
        if (args := rules.check_optimizer(
            checker, optimizer, ("optimizers", optimizer), row, settings
        )) is not None
    }  # fmt: skip
    best = _best(checker, document, rows, settings)
    if checker.problems:
        return None
    typed = replace(document, settings=settings, optimizers=rows, best=best)
    sweeps, score = document.sweeps or {}, load_score(settings.task).SCORE
    room = Room(**{**vars(typed), "sweeps": sweeps, "score": score})
    rules.check_target(checker, room.target, room.score)
    schedules = params.schedules
    arms = rules.check_suite(checker, room.suite, rows, schedules, devices=settings.devices)
    rules.check_points(checker, arms, room.search, settings)
    if room.search is not None:
        rules.check_search(checker, room.search, settings, rows)
    if room.control is not None:
        arms += rules.check_control(checker, room.control, rows, schedules, room.search)
    for sweep, values in room.sweeps.items():
        arms += check_sweep(checker, sweep, values, rows, schedules, settings)
    planned = [arm.schedule for arm in arms]
    rules.check_warmup(checker, settings, planned, schedules, whose="this workload's")
    return room


def _best(
    checker: Checker, document: RoomDocument, rows: Mapping[str, Args], settings: Settings
) -> dict[str, Args]:
    """What differs from an optimizer's row in an arm's single run, typed, by the arm's key."""
    best: dict[str, Args] = {}
    for key, changes in document.best.items():
        path = ("best", key)
        optimizer, _, schedule = key.partition("-")
        if not checker.choice("optimizer", optimizer, ".".join(path), document.optimizers):
            continue
        if not checker.name("schedules", schedule, ".".join(path)) or optimizer not in rows:
            continue
        row = {**rows[optimizer], **changes}
        args = rules.check_optimizer(checker, optimizer, path, row, settings)
        if args is not None:
            best[key] = {name: args[name] for name in changes}
    return best


def require_plain() -> None:
    """Refuses params that are no plain YAML, of the project and of each room, before DVC reads any.

    DVC expands aliases of aliases without end before a stage could refuse them.

    Raises:
        ParamsError: names the file and what is wrong with it.
    """
    for path in (Path(PARAMS), *sorted(WORKLOADS.glob(f"*/{PARAMS}"))):
        if path.exists():
            _read(path)


def _read(path: Path) -> dict[str, Any]:
    """The file's values."""
    refusal = partial(ParamsError, file=path)
    raw = read_yaml(path, refusal=refusal)
    if not isinstance(raw, dict):
        raise refusal([f"must be a mapping of keys, got {type(raw).__name__}"])
    return raw
