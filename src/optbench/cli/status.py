"""Says what of a workload is up to date, what is not and why, and how long the rest will take."""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from optbench.cli.commands import Parser
from optbench.cli.outlook import (
    in_words,
    is_to_come,
    must_run,
    pending_work,
    planned_pipeline,
)
from optbench.core.run import plan_of, read_json
from optbench.evaluation.evaluate import ABSENT, RESULTS, differing
from optbench.params.load import load_params, load_room, require_plain
from optbench.scaling.locks import require_whole
from optbench.scaling.names import kind_of
from optbench.scaling.pipeline import Changes, each

# DVC's words for the state of a file.
STATES = {
    "modified": "has changed", "deleted": "is missing", "not in cache": "is missing",
    "new": "is new",
}  # fmt: skip
WORDS = {"changed command": "its command has changed"}
DATA = "data/"  # whose stages bring back the same bytes: nothing follows
SHOWN = 3  # reasons of a stage, and stages of a kind


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints a few lines a workload."""
    parser = Parser("status", __doc__, example="digits-cnn")
    parser.add_argument("workloads", nargs="*", help="default: the chosen one")
    names = parser.parse_args(arguments).workloads
    require_whole()
    require_plain()
    params = load_params()
    for room in [load_room(name, params) for name in names or [params.workload]]:
        pipeline = planned_pipeline(room.name)
        changes = pipeline.changes(pipeline.stages)
        print(*pending_lines(room.name, changes, pipeline.needs), sep="\n")
        if stale(changes):
            print(in_words(room, pending_work(room, changes)))
    return 0


def pending_lines(
    workload: str, changes: Mapping[str, Changes], needs: Mapping[str, Set[str]]
) -> list[str]:
    """What is up to date, and what is not, why, and what follows it; like stages share a line.

    Args:
        workload: whose stages these are.
        changes: of those that are not up to date.
        needs: of each stage.
    """
    changed = stale(changes)
    if not changed:
        return [f"{workload}: all {len(needs)} stages are up to date"]
    after = followers([stage for stage in changed if not stage.startswith(DATA)], needs)
    after = [stage for stage in after if stage not in changed]
    count = len(needs) - len(changed) - len(after)
    lines = [f"{workload}: {count} of {len(needs)} stages are up to date; not so:"]
    alike: dict[tuple[str, ...], list[str]] = {}
    reasons = {stage: why(workload, stage, changes[stage]) for stage in changed}
    for stage in changed:
        key = (kind_of(stage), *(general(reason, stage) for reason in reasons[stage]))
        alike.setdefault(key, []).append(stage)
    for (_, *shared), stages in alike.items():
        why_stale = shared if len(stages) > 1 else reasons[stages[0]]
        lines.append(f"  {named(stages)}: {shortened(why_stale)}")
    if after:
        lines.append(f"  after them: {shortened([short(stage) for stage in after])}")
    return lines


def stale(changes: Mapping[str, Changes]) -> list[str]:
    """The stages that will run; not those that only wait for data to be brought back."""
    return [
        stage
        for stage, of in changes.items()
        if must_run(of) or any("changed outs" in change for change in of)
    ]


def followers(changed: Sequence[str], needs: Mapping[str, Set[str]]) -> list[str]:
    """The other stages that directly or indirectly need one of those."""
    reached = set(changed)
    for stage in needs:  # what a stage needs stands before it
        if needs[stage] & reached:
            reached.add(stage)
    return [stage for stage in needs if stage in reached and stage not in changed]


def why(workload: str, stage: str, changes: Changes) -> list[str]:
    """The reasons why a stage is not up to date; of a plan, what in it is not the result's."""
    reasons: list[str] = []
    for what, path, state in each(changes):
        if not path:
            reasons.append(WORDS.get(what, what))
        elif what == "changed deps" and is_to_come(path, state):
            continue  # data, whose own stage is named
        elif isinstance(state, Mapping):
            reasons.append(f"{path} has another {', '.join(state)}")
        else:
            otherwise = differences(Path(path), result_of(workload, stage))
            reasons += otherwise or [f"{path} {STATES.get(state, state)}"]
    return reasons


def general(reason: str, stage: str) -> str:
    """A reason without what sets a stage apart from others of its kind."""
    cell = stage.partition("@")[2]
    return reason.replace(cell, "*") if cell else reason


def result_of(workload: str, stage: str) -> Path | None:
    """A run that a stage has left behind; None where it has not, or is of another kind."""
    results = {
        "run": RESULTS / workload / "run",
        "study": RESULTS / workload / "suite" / stage.partition("@")[2] / "0",
    }
    file = results.get(kind_of(stage), Path()) / "run.json"
    return file if file.is_file() else None


def differences(plan: Path, result: Path | None) -> list[str]:
    """What a plan's run has otherwise than a result; nothing where either is not there.

    Of what a study searches, the plan says nothing.
    """
    if result is None or plan_of(plan.parts[1] if len(plan.parts) > 1 else "") not in plan.parents:
        return []
    planned = read_json(plan)
    is_study = "space" in planned
    found = differing(read_json(result), planned["run"] if is_study else planned)
    return [
        f"{name} has changed" if name.startswith("the code of ") else f"{name} is {new}, was {old}"
        for name, (old, new) in found.items()
        if ABSENT not in (old, new) and not (is_study and name == "seed")
    ]


def named(stages: Sequence[str]) -> str:
    """Stages of a kind: one by its name, several by their number and the first of them."""
    if len(stages) == 1:
        return short(stages[0])
    kind, _, cell = short(stages[0]).partition("@")
    return f"{kind}, {len(stages)} stages such as {cell}"


def short(stage: str) -> str:
    """A stage without its file."""
    return stage.rpartition(":")[2]


def shortened(items: Sequence[str]) -> str:
    """The first of some items, and how many more there are."""
    more = len(items) - SHOWN
    return "; ".join([*items[:SHOWN], *([f"{more} more"] if more > 0 else [])])
