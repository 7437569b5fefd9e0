"""Takes the best trials of all studies into the `best` of their workloads' params.yaml.

The single run has them: of each arm that is tuned, the values of the best trial by validation over
all of its studies. Shows the diff, and an alarm where studies choose the ends of a range.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from optbench.cli.commands import Parser
from optbench.cli.recorded import require_recorded
from optbench.cli.yaml_text import in_line, with_block
from optbench.core.arm import TUNED, Arm
from optbench.core.files import publish
from optbench.core.run import WORKLOADS
from optbench.core.space import EDGE
from optbench.evaluation.evaluate import RESULTS, Result, read_results
from optbench.evaluation.tuning import edges_of
from optbench.params.load import Room, load_params, load_room, rooms
from optbench.params.messages import PARAMS
from optbench.params.plan import studies
from optbench.report.contents import shown
from optbench.studies.trials import choice


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints what changes in params.yaml, and alarms."""
    parser = Parser("best", __doc__, example="digits-cnn")
    parser.add_argument("workloads", nargs="*", help="default: all that have studies")
    params = load_params()
    names = parser.parse_args(arguments).workloads or rooms()
    for room in [load_room(name, params) for name in names]:
        if shown(room).suite.studies:
            take_best(room)
        elif room.suite.studies:
            print(f"{room.name}: no study was carried out yet: its `best` stays as it is")
    return 0


def take_best(room: Room) -> None:
    """Writes `best` of a workload's params.yaml.

    Raises:
        UsageError: a study is missing, damaged, or not the planned one.
    """
    require_recorded(
        WORKLOADS / room.name / "dvc.lock",
        [
            RESULTS / room.name / span.folder(study.arm.key)
            for study in studies(room)
            for span in room.suite.studies
        ],
    )
    path = WORKLOADS / room.name / PARAMS
    tuned = by_arm(read_results(studies(room), room.suite.studies, room.score))
    before = path.read_text(encoding="utf-8")
    after = with_block(before, "best", entries(room, tuned))
    publish(path, after)
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    print("".join(difflib.unified_diff(*lines, f"a/{path}", f"b/{path}")) or f"{path}: no change")
    for alarm in alarms(room, tuned):
        print(alarm)


def by_arm(results: Iterable[Result]) -> dict[Arm, list[Result]]:
    """The studies of each tuned arm."""
    tuned: dict[Arm, list[Result]] = {}
    for result in results:
        if result.arm.tuning == TUNED:
            tuned.setdefault(result.arm, []).append(result)
    return tuned


def entries(room: Room, tuned: Mapping[Arm, Sequence[Result]]) -> dict[str, str]:
    """The best trial's values of each arm, as YAML, marked with how many trials there were."""
    values = {}
    for arm, results in tuned.items():
        trials = [trial for result in results for trial in result.trials]
        best = choice(trials, room.score)
        if best.validation_score is not None:
            values[arm.key] = f"{in_line(dict(best.hyper))}  # best of {len(trials)} trials"
    return values


def alarms(room: Room, tuned: Mapping[Arm, Sequence[Result]]) -> list[str]:
    """A sentence for each range at whose ends more studies chose a point than chance explains."""
    return [
        f"ALARM: {room.name} / {arm}: too many studies chose a {name} within {100 * EDGE:.0f} % of "
        f"an end of its range: move search.space.{arm.optimizer} in "
        f"{WORKLOADS / room.name / PARAMS}, of the same size, and carry out its studies again, once"
        for arm, results in tuned.items()
        for name in edges_of([choice(r.trials, room.score) for r in results], room.space(arm))
    ]
