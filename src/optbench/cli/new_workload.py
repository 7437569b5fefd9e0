"""Starts a workload: a room with the settings, suite and rows of another, to be changed there."""

from collections.abc import Sequence
from pathlib import Path

from optbench.cli.commands import Parser
from optbench.cli.creation import create, require_folder_name
from optbench.cli.yaml_text import with_block, with_item, with_value
from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS
from optbench.params.listed import INDEX_DEPS, indexes, report_of
from optbench.params.load import load_params, load_room
from optbench.params.messages import PARAMS

STAGES = ("dvc.yaml", "control/dvc.yaml")  # the same in every room; a control is not everywhere


def run(arguments: Sequence[str], standing: Path) -> int:
    """Writes workloads/<name>/ and adds it to the deps of the pages on all workloads."""
    parser = Parser("new workload", __doc__, example="fashion-cnn --like digits-cnn")
    parser.add_argument("name", help="of letters, digits, hyphens and underscores")
    parser.add_argument("--like", required=True, help="the workload to copy")
    args = parser.parse_args(arguments)
    require_folder_name("workload", args.name)
    for place in (WORKLOADS / args.name, Path(report_of(args.name))):
        if place.exists():
            raise UsageError(f"{place} is there already: choose another name")
    room = load_room(args.like, load_params())
    files = copied(args.like, args.name)
    if room.suite.studies:
        for index in indexes():
            text = index.read_text(encoding="utf-8")
            files[index] = with_item(text, INDEX_DEPS, report_of(args.name))
    create(files, rooms=[args.name])
    print(
        f"{args.name} is valid. Change {WORKLOADS / args.name / PARAMS}, then "
        f"`dvc exp run -S workload={args.name}` trains the single run there."
    )
    return 0


def copied(like: str, name: str) -> dict[Path, str]:
    """The files of a room that starts as another is: neither its plan, nor results, nor sweeps."""
    old, new = WORKLOADS / like, WORKLOADS / name
    files = {
        new / path: (old / path).read_text(encoding="utf-8")
        for path in STAGES
        if (old / path).is_file()
    }
    params = (old / PARAMS).read_text(encoding="utf-8")
    params = with_block(with_value(params, ["name"], name), "best", {})
    if "\nsweeps:" in params:
        params = with_block(params, "sweeps", {})
    return files | {new / PARAMS: params}
