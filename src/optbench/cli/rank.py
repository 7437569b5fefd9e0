"""Ranks any torch optimizer among those of the workloads, by studies of the same size as theirs.

Works in a clone of the project's last commit, scratch/rank/<name>/, so that nothing of the project
changes; with --keep in the project itself, whose workloads then have its rows. Either goes on where
it was killed; where the optimizer was edited, its studies are carried out again, and no other.
"""

import ast
import json
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from optbench.cli import new_optimizer
from optbench.cli.commands import Parser
from optbench.cli.creation import create, file_of, require_module_name
from optbench.cli.target import SOURCE, has_modes, import_class
from optbench.cli.yaml_text import with_item
from optbench.core.arm import Arm
from optbench.core.cores import usable_cores
from optbench.core.duration import duration
from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.run import WORKLOADS
from optbench.cost.estimate import estimate_s
from optbench.params.load import Room, load_params, load_room
from optbench.params.messages import PARAMS
from optbench.params.plan import studies
from optbench.report.contents import read_claims, read_contents
from optbench.report.ranking import rank_page, ranking_of
from optbench.scaling.reproduction import reproduce

SCRATCH, PAGES = Path("scratch/rank"), Path("reports/rank")
LAUNCH, CACHE = Path("src/optbench/cli/launch.py"), Path(".dvc/cache")
QUICK = ("digits-cnn", "digits-vit")  # some minutes on two cores
SCHEDULE, NO_SCHEDULE = "warmup_cosine", "constant"  # the second: of what averages weights


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints where the optimizer stands, and the path of a page."""
    args = parse(arguments)
    file, dotted = located(args.target, standing)
    args.name = args.name or dotted.rpartition(".")[2].lower()
    require_module_name("--name", args.name)
    root = Path() if args.keep else clone(args.name)
    if file is not None:
        publish(root / SOURCE / file.name, file.read_bytes())
    if args.keep:
        args.target = dotted
        return rank(args)
    passed_on = [argument for argument in arguments if argument != args.target]
    command = [sys.executable, LAUNCH, "rank", dotted, "--keep", "--name", args.name, *passed_on]
    return subprocess.run(command, cwd=root, check=False).returncode


def parse(arguments: Sequence[str]) -> Namespace:
    """The command line."""
    parser = Parser("rank", __doc__, example="torch.optim.Adamax")
    parser.add_argument("target", help="the class: package.Class, or file.py, or file.py:Class")
    parser.add_argument("--name", help="of the optimizer here (default: the class's, in small)")
    parser.add_argument(
        "--workload", nargs="+", action="extend", metavar="WORKLOAD",
        help=f"where it is ranked (default: {', '.join(QUICK)})",
    )  # fmt: skip
    parser.add_argument("--schedule", help=f"default: {SCHEDULE}, or {NO_SCHEDULE} if it averages")
    parser.add_argument("--jobs", "-j", type=int, default=usable_cores(), help="stages at once")
    parser.add_argument("--keep", action="store_true", help="its rows and results, in the project")
    new_optimizer.add_values(parser)
    args = parser.parse_args(arguments)
    args.workload = args.workload or [*QUICK]
    return args


def located(target: str, standing: Path) -> tuple[Path | None, str]:
    """The file of a class where one is named, and the class's dotted name in src/.

    Raises:
        UsageError: there is no such file, or no single class in it to take.
    """
    text, _, name = target.partition(":")
    if not text.endswith(".py"):
        return None, target
    file = standing / text
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UsageError(
            f"{text} cannot be read as Python: {error}: name a file, as my.py, or a class with its "
            "package, as torch.optim.Adamax"
        ) from error
    require_module_name("file", file.stem)
    if (SOURCE / file.stem).is_dir():
        raise UsageError(f"{text}: its name is that of the package {file.stem}: choose another")
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if not name and len(classes) != 1:
        known = ", ".join(classes) or "none"
        raise UsageError(f"{text} must say which class: {text}:CLASS; it has {known}")
    return file, f"{file.stem}.{name or classes[0]}"


def clone(name: str) -> Path:
    """The clone of the project's last commit in which an optimizer is ranked, with its cache.

    That of another commit is made anew; DVC knows the studies that were whole.

    Raises:
        UsageError: Git refuses.
    """
    folder, head = SCRATCH / name, git("rev-parse", "HEAD")
    if folder.is_dir() and git("-C", str(folder), "rev-parse", "HEAD") != head:
        shutil.rmtree(folder)
    if not folder.is_dir():
        partial = folder.with_name(f".{name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        git("clone", "-q", "--shared", ".", str(partial))
        publish(partial / ".dvc/config.local", f"[cache]\n    dir = {CACHE.absolute()}\n")
        partial.rename(folder)
    return folder


def git(*arguments: str) -> str:
    """What Git prints.

    Raises:
        UsageError: it refuses.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def rank(args: Namespace) -> int:
    """Carries out an optimizer's studies here, and tells where it stands; returns the exit code."""
    optimizer = import_class(args.target)
    arm = Arm(args.name, args.schedule or (NO_SCHEDULE if has_modes(optimizer) else SCHEDULE))
    add(args, arm)
    stages = {name: WORKLOADS / name / "dvc.yaml" for name in args.workload}
    measured = [f"{file}:cost@{arm.optimizer}" for file in stages.values()]
    planned = [f"{file}:validate" for file in stages.values()]
    if code := reproduce([*planned, *measured], jobs=1, engine="local").exit_code:
        return code
    params, claims = load_params(), read_claims()
    rooms = [load_room(name, params) for name in args.workload]
    for room in rooms:
        print(expected_time(room, arm), flush=True)
    scored = [f"{file}:evaluate" for file in stages.values()]
    if code := reproduce(scored, jobs=args.jobs, engine="local").exit_code:
        return code
    rankings = [ranking_of(read_contents(room, claims), arm) for room in rooms]
    for ranking in rankings:
        print(f"\n{ranking.workload}", *ranking.sentences, sep="\n")
    page = PAGES / f"{arm.optimizer}.html"
    publish(page, rank_page(str(arm), rankings, root="../.."))
    print(f"\nSee {page.absolute()}")
    return 0


def add(args: Namespace, arm: Arm) -> None:
    """Writes the optimizer's file, rows, spaces and arms; once they are there, nothing.

    Raises:
        UsageError: it was added with other values, or another has its name.
    """
    params = load_params()
    rooms = [load_room(name, params) for name in args.workload]
    for room in rooms:
        if room.search is None or not room.suite.studies:
            raise UsageError(
                f"--workload: got '{room.name}', which has no studies that search: name one that "
                "has, or write `search` and `suite.studies` in its params.yaml"
            )
    asked = json.dumps([args.target, arm.key, args.workload, args.lr, args.set, args.space])
    record = SCRATCH / f"{arm.optimizer}.json"
    is_there = file_of("optimizers", arm.optimizer).is_file()
    if is_there and not (record.is_file() and record.read_text(encoding="utf-8") == asked):
        raise UsageError(
            f"--name: {arm.optimizer} is there already, and this command did not add it: choose "
            "another name"
        )
    publish(record, asked)
    if not is_there:
        new_optimizer.add(args)
    paths = [WORKLOADS / room.name / PARAMS for room in rooms if arm not in room.suite.every_arm]
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    arms = {path: with_item(text, ["suite", "arms"], arm.key) for path, text in texts.items()}
    create(arms, rooms=args.workload)


def expected_time(room: Room, arm: Arm) -> str:
    """How many runs the studies of an arm are, and about how long they take one by one."""
    (study,) = [study for study in studies(room) if study.arm == arm]
    count = len(room.suite.numbers) * study.trials
    head = f"{room.name}: {len(room.suite.numbers)} studies of {study.trials} trials"
    time = estimate_s(study.run)
    return f"{head}: about {duration(count * time)} on one core" if time else head
