"""A room's plan: every run that it may ask for, fully resolved, in files that stages depend on.

`suite/<arm>.json` is an arm's run without its seed, `run.json` the single run with its overrides,
`cost/<optimizer>.json` the pair of runs whose steps are timed, `control.json` the studies that are
held against each other, `sweeps/<sweep>.json` the runs of a sweep at each value. Each names the
code that it depends on by its digests, so that a stage runs anew when any of this changes, and
at nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optbench.core.arm import PUBLISHED, Arm
from optbench.core.files import publish
from optbench.core.run import Run, plan_of, read_plan
from optbench.core.study import Study, planned
from optbench.core.sweep import Case, Sweep, plan_of_sweep, varied
from optbench.params import check_room as rules
from optbench.params import signatures
from optbench.params.check import Checker
from optbench.params.check_sweep import settings_of
from optbench.params.code import code_of
from optbench.params.load import Params, Room
from optbench.params.messages import PARAMS, ParamsError

# A rate so small that hundreds of steps change nothing: the time of a step does not depend on it.
PROBE = 1e-6
REFERENCE = "sgd"  # beside which steps are timed
Code = Mapping[str, str]  # digests of all parts, see `params.code`


def write_plan(room: Room, params: Params, code: Code) -> None:
    """Writes the files of a room's plan.

    Raises:
        ParamsError: the single run cannot be run in this room.
    """
    folder = plan_of(room.name)
    for arm in room.suite.every_arm:
        study = plan_study(room, params, arm, code)
        publish(folder / "suite" / f"{arm.key}.json", as_json(study.as_dict()))
    for optimizer in room.optimizers:
        pair = {name: probe(room, subject, code).as_dict()
                for name, subject in (("run", optimizer), ("reference", REFERENCE))}  # fmt: skip
        publish(folder / "cost" / f"{optimizer}.json", as_json(pair))
    if room.control is not None:
        study = plan_study(room, params, Arm.of(room.control.arm), code)
        control = {**vars(room.control), "study": study.as_dict()}
        publish(folder / "control.json", as_json(control))
    for name in room.sweeps:
        text = as_json(plan_sweep(room, params, name, code).as_dict())
        publish(plan_of_sweep(room.name, name), text)
    publish_single(room, params, code)


def publish_single(room: Room, params: Params, code: Code) -> None:
    """Writes the single run; a room that is not the chosen one may be without.

    Raises:
        ParamsError: it cannot be run in the chosen room.
    """
    try:
        run = single(room, params, code)
    except ParamsError:
        if room.name == params.workload:
            raise
        return
    publish(plan_of(room.name) / "run.json", as_json(run.as_dict()))


def resolve(room: Room, params: Params, arm: Arm, *, seed: int = 0, code: Code) -> Run:
    """The single run of an arm."""
    run = Run(
        workload=room.name,
        optimizer=arm.optimizer,
        schedule=arm.schedule,
        seed=seed,
        settings=room.settings,
        optimizer_args=room.single_args(arm),
        schedule_args=params.schedules[arm.schedule],
        code={},
    )
    return replace(run, code=code_of(run, "training", code))


def plan_study(room: Room, params: Params, arm: Arm, code: Code) -> Study:
    """What the studies of an arm have in common.

    A point as published is trained on all of the training set, as it was; all others hold out the
    validation set for good. The run has no values of what is searched, so that the best of its
    trials goes into the room and makes no study stale.
    """
    settings = replace(
        room.settings,
        threads=room.suite.threads or room.settings.threads,
        train_split="full" if arm.tuning == PUBLISHED else "holdout",
    )
    run = resolve(room, params, arm, code=code)
    run = replace(run, settings=settings, optimizer_args=room.study_args(arm))
    run = replace(run, code=code_of(run, "study", code))
    return Study(arm=arm, run=run, space=room.space(arm), trials=room.trials(arm))


def plan_sweep(room: Room, params: Params, name: str, code: Code) -> Sweep:
    """A sweep of a room: about the single run's values of each arm."""
    spec = room.sweeps[name]
    settings = settings_of(spec, room.settings)
    cases = []
    for key in spec.arms:
        base = replace(resolve(room, params, Arm.of(key), code=code), settings=settings)
        for value in spec.values:
            run = varied(base, spec.argument, value)
            run = replace(run, code=code_of(run, "study", code))
            cases.append(Case(value=value, run=run))
    return Sweep(
        name=name,
        argument=spec.argument,
        lr_factors=spec.lr_factors,
        studies=spec.studies,
        cases=cases,
    )


def single(room: Room, params: Params, code: Code) -> Run:
    """The run that the project's params.yaml names, with its overrides.

    Raises:
        ParamsError: it cannot be run in this room.
    """
    checker, arm = Checker(), Arm(params.optimizer, params.schedule)
    is_possible = rules.check_arm(checker, "optimizer", arm, room.optimizers, params.schedules)
    if not is_possible:
        where = f" (in workloads/{room.name}/params.yaml)"
        raise ParamsError([problem + where for problem in checker.problems], PARAMS)
    run = params.override.apply(resolve(room, params, arm, seed=params.seed, code=code))
    rules.check_batch_size(checker, "override.batch_size", run.settings)
    rules.check_devices(checker, "override.devices", run.settings)
    rules.check_dealt(
        checker, arm.optimizer, f"optimizers.{arm.optimizer}", run.optimizer_args, run.settings
    )
    if unknown := set(run.optimizer_args) - set(room.optimizers[arm.optimizer]):
        name = min(unknown)
        checker.add(f"override.{name}: {arm.optimizer} takes no {name}: leave it without a value")
    rules.check_warmup(
        checker, run.settings, [arm.schedule], params.schedules, whose="the single run's"
    )
    if checker.problems:
        raise ParamsError(checker.problems, PARAMS)
    return run


def probe(room: Room, optimizer: str, code: Code) -> Run:
    """A run of an optimizer with tiny rates and no schedule, whose steps are timed."""
    tiny = {"lr": PROBE, "weight_decay": PROBE}
    if optimizer in room.optimizers:
        row = dict(room.optimizers[optimizer])
    else:
        row = signatures.arguments("optimizers", optimizer)(**{"lr": PROBE}).model_dump()
    run = Run(
        workload=room.name,
        optimizer=optimizer,
        schedule="none",
        seed=0,
        settings=room.settings,
        optimizer_args={**row, **{name: value for name, value in tiny.items() if name in row}},
        schedule_args={},
        code={},
    )
    return replace(run, code=code_of(run, "cost", code))


def studies(room: Room) -> list[Study]:
    """The planned studies of each arm of a room's suite, whatever their numbers.

    Raises:
        UsageError: the plan lacks an arm.
    """
    return [planned(room.name, arm.key) for arm in room.suite.every_arm]


def single_run(workload: str) -> Run:
    """The planned single run.

    Raises:
        UsageError: the plan has none.
    """
    return read_plan(plan_of(workload) / "run.json")


def as_json(values: Any) -> str:
    """The text of a file of a plan."""
    return json.dumps(values, indent=2) + "\n"
