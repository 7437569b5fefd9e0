"""Says, before it starts, what `dvc repro` will train and about how long it will take.

Or what studies would take, and how small a difference they would find.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.logger import set_loggers_level
from dvc.repo import Repo

from optbench.cli.commands import Parser
from optbench.core.arm import TUNED, Arm
from optbench.core.duration import duration
from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS, Run
from optbench.cost.estimate import estimate_s, peak_memory_bytes
from optbench.evaluation.evaluate import ResultError, read_results
from optbench.evaluation.power import detectable_difference
from optbench.evaluation.verdict import FEWEST_STUDIES, pooled_spread
from optbench.params.load import Room, load_params, load_room, require_plain
from optbench.params.plan import single_run, studies
from optbench.report.text import amount, counted
from optbench.scaling.locks import require_whole
from optbench.scaling.pipeline import explained
from optbench.studies.points import SEEDS


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints one line on the chosen workload; or what studies of a workload would take and find."""
    parser = Parser("plan", __doc__, example="digits-cnn --studies 5 --trials 8")
    parser.add_argument("workload", nargs="?", help="default: the chosen one")
    parser.add_argument("--studies", type=int, help="of each tuned arm, if they were carried out")
    parser.add_argument("--trials", type=int, help="of each of them (default: the room's)")
    args = parser.parse_args(arguments)
    require_whole()
    require_plain()
    params = load_params()
    room = load_room(args.workload or params.workload, params)
    if args.studies is None:
        if args.workload or args.trials is not None:
            raise UsageError("optbench plan: name --studies too, of each arm of the workload")
        print(outlook(room, pending_work(room, changed_stages(room.name))))
        return 0
    trials = args.trials
    if trials is None:
        trials = room.search.trials if room.search else 1
    if args.studies < 1 or trials < 1:
        raise UsageError("optbench plan: --studies and --trials must be 1 or more")
    print("; ".join(prospect(room, args.studies, trials)))
    return 0


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a stage trains: runs that take as long as this one."""

    run: Run
    count: int
    studies: int = 0


def outlook(room: Room, pending: Mapping[str, Work]) -> str:
    """One sentence on the runs whose stages must be executed, by stage."""
    if not pending:
        return f"{room.name}: nothing will train"
    repeats = len([stage for stage in pending if stage.startswith("repeat@")])
    count = sum(work.studies for work in pending.values())
    single = "the single run" if "run" in pending else "no single run"
    head = f"{room.name}: {single} and {counted(count, 'study')} will train"
    if repeats:
        head += f", and {counted(repeats, 'winner')} again"
    try:
        times = [estimate_s(work.run) for work in pending.values()]
    except UsageError as error:
        return f"{head}; how long is not known: {error}"
    if any(time is None for time in times):
        cost = f"dvc repro {WORKLOADS}/{room.name}/dvc.yaml:cost"
        return f"{head}; how long is not known before `{cost}` has measured a step"
    works = zip(times, pending.values(), strict=True)
    seconds = sum(time * work.count for time, work in works if time is not None)
    megabytes = max(peak_memory_bytes(work.run) or 0 for work in pending.values()) / 1e6
    return (
        f"{head}: about {duration(seconds)}, and up to {megabytes:,.0f} MB of tensors on each "
        f"device beside the data, as costs/{room.name}/ has measured a step"
    )


def prospect(room: Room, count: int, trials: int) -> list[str]:
    """What so many studies of so many trials of each tuned arm take, and what they would find.

    The spread is that of the studies that there are.
    """
    arms = [study for study in studies(room) if study.arm.tuning == TUNED]
    head = (
        f"{room.name}: {counted(count, 'study')} of {counted(trials, 'trial')} of "
        f"{counted(len(arms), 'tuned arm')}"
    )
    times = [estimate_s(study.run) for study in arms]
    known = [time for time in times if time is not None]
    hours = "how long is not known, since not all steps were measured"
    if len(known) == len(times):
        hours = f"about {duration(sum(known) * count * trials)} on one machine, one after the other"
    sentences = [f"{head}: {hours}"]
    if count < FEWEST_STUDIES:
        sentences.append(f"below {FEWEST_STUDIES} studies a side no ordering is called")
        return sentences
    try:
        results = read_results(arms, room.suite.studies, room.score)
    except ResultError as error:
        first, *_ = str(error).splitlines()
        sentences.append(f"what they would find is not known: {first}")
        return sentences
    scores: dict[Arm, list[float]] = {}
    for result in results:
        if result.outcome.test_score is not None:
            scores.setdefault(result.arm, []).append(result.outcome.test_score)
    spread = pooled_spread(scores.values())
    if spread is None:
        sentences.append("what they would find is not known: no two studies say how they spread")
        return sentences
    smallest = detectable_difference(k=count, s=spread.sd)
    sentences.append(
        f"a true difference of {amount(room.score, smallest)} between two arms would be found in "
        f"four of five cases (sd over studies {amount(room.score, spread.sd, 3)}, from studies of "
        f"{counted(room.search.trials if room.search else 1, 'trial')})"
    )
    return sentences


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


def pending_work(room: Room, changed: Mapping[str, Any]) -> dict[str, Work]:
    """What of the plan's runs must be executed, by the stage's name, or `run`.

    Raises:
        UsageError: the room's plan lacks one.
    """
    planned = {"run": Work(run=single_run(room.name), count=1)}
    for study in studies(room):
        for stage, count in [
            (f"fresh@{study.arm.key}", 1),
            *((f"study@{study.arm.key}-{span}", len(span.numbers)) for span in room.suite.studies),
        ]:
            planned[stage] = Work(run=study.run, count=count * study.trials, studies=count)
        planned[f"repeat@{study.arm.key}"] = Work(run=study.run, count=SEEDS)
    file = re.escape(f"{WORKLOADS}/{room.name}/dvc.yaml")
    pending = {}
    for stage, changes in changed.items():
        match = re.fullmatch(rf"{file}:(.+)", stage)
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
