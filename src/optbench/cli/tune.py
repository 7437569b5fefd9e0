"""Takes the winners of searches into the rows of their workloads' params.yaml, and shows the diff.

It also writes search/winners.yaml, by which reports say of each row how it was found.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path

from optbench.cli.commands import Parser
from optbench.cli.recorded import require_search
from optbench.core.files import publish
from optbench.core.run import WORKLOADS
from optbench.params.load import Room, load_params, load_room, rooms
from optbench.params.messages import PARAMS
from optbench.search.tune import alarms, find_winners, with_winners
from optbench.search.winners import write_winners


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints what changes in params.yaml, and alarms."""
    parser = Parser("tune", __doc__, example="digits-cnn")
    parser.add_argument("workloads", nargs="*", help="default: all that are searched")
    params = load_params()
    names = parser.parse_args(arguments).workloads or rooms()
    for room in [load_room(name, params) for name in names]:
        if room.search is not None:
            take_winners(room)
    return 0


def take_winners(room: Room) -> None:
    """Writes params.yaml and search/winners.yaml of a workload.

    Raises:
        UsageError: the trials are damaged, or not those of the search that params.yaml declares.
    """
    require_search(room.name)
    path, winners = WORKLOADS / room.name / PARAMS, find_winners(room)
    before = path.read_text(encoding="utf-8")
    after = with_winners(before, winners)
    publish(path, after)
    write_winners(room.name, winners)
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    print("".join(difflib.unified_diff(*lines, f"a/{path}", f"b/{path}")) or f"{path}: no change")
    for alarm in alarms(room.name, winners):
        print(alarm)
