"""Takes in any torch optimizer: writes a wrapper of its class, and rows in params.yaml.

The class is imported and tried once: it must step with a closure, and go on from its state_dict to
the bit. How it decays weights is measured.
"""

import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from optbench.cli import target as classes
from optbench.cli.commands import Parser
from optbench.cli.creation import create, file_of, require_new_part
from optbench.cli.wrapper import Argument, arguments_of, source_of
from optbench.cli.yaml_text import with_entry, with_item
from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS
from optbench.core.space import Range, Space, decades
from optbench.params import signatures
from optbench.params.listed import listed
from optbench.params.load import Room, load_params, load_room
from optbench.params.messages import PARAMS, unknown

PIPELINE = Path("dvc.yaml")
VALIDATE_DEPS = ("stages", "validate", "deps")
EXAMPLE = "adamax --target torch.optim.Adamax --workload digits-cnn"


def run(arguments: Sequence[str], standing: Path) -> int:
    """Writes src/optbench/optimizers/<name>.py and rows of workloads."""
    parser = Parser("new optimizer", __doc__, example=EXAMPLE)
    parser.add_argument("name", help="as its file in src/optbench/optimizers/ will be called")
    parser.add_argument("--target", required=True, help="the class, with its package")
    parser.add_argument(
        "--workload", nargs="+", action="extend", metavar="WORKLOAD",
        help="where it gets a row (default: the chosen workload)",
    )  # fmt: skip
    add_values(parser)
    args = parser.parse_args(arguments)
    args.workload = args.workload or [load_params().workload]
    add(args)
    print(
        f"`dvc exp run -S workload={args.workload[0]} -S optimizer={args.name}` trains it once; "
        f"named in suite.arms of {WORKLOADS / args.workload[0] / PARAMS}, as {args.name}-cosine, "
        "it gets studies."
    )
    return 0


def add(args: Namespace) -> None:
    """Writes them: `name`, `target`, `workload` and what `add_values` takes.

    Raises:
        UsageError: it cannot train here, or what it would be called, or have, cannot be.
    """
    require_new_part("optimizers", args.name)
    params = load_params()
    rooms = [load_room(name, params) for name in args.workload]
    if args.lr is not None:
        args.set = [("lr", args.lr), *args.set]
    target = classes.import_class(args.target)
    declared, unwritable = arguments_of(target)
    values = values_of(declared, args)
    classes.require_trains(target, values)
    form, flags = decay(target, values)
    source = source_of(
        args.target,
        declared,
        fixed={name: values[name] for name in flags},
        form=form,
        has_modes=classes.has_modes(target),
    )
    files = {file_of("optimizers", args.name): source}
    for room in rooms:
        space = space_of(room, args, values, form)
        names = dict.fromkeys(["lr", *dict(args.set), *(space or ())])
        row = {name: values[name] for name in names if name not in flags}
        path = WORKLOADS / room.name / PARAMS
        files[path] = with_rows(path.read_text(encoding="utf-8"), args.name, row, space)
    create(files | with_dep(args.target), rooms=[room.name for room in rooms])
    tell(form, flags, unwritable)


def add_values(parser: Parser) -> None:
    """The arguments that say what an optimizer's rows and spaces hold."""
    parser.add_argument("--lr", type=float, help="of the row (default: the class's)")
    parser.add_argument(
        "--set", nargs="+", action="extend", type=setting, default=[], metavar="NAME=VALUE",
        help="further values of the row; one that the class requires, for one",
    )  # fmt: skip
    parser.add_argument(
        "--space", nargs="+", action="extend", type=searched, default=[], metavar="NAME=LOW:HIGH",
        help="what a study tries (default: lr around its value, and what others search too)",
    )  # fmt: skip


def setting(text: str) -> tuple[str, Any]:
    """An argument and its value, from `NAME=VALUE`.

    Raises:
        ArgumentTypeError: it is not of that form.
    """
    name, equals, value = text.partition("=")
    try:
        if name and equals:
            return name, yaml.safe_load(value)
    except yaml.YAMLError:
        pass
    raise ArgumentTypeError(f"got {text!r}: must be NAME=VALUE, as momentum=0.9")


def searched(text: str) -> tuple[str, Range]:
    """An argument and its range, from `NAME=LOW:HIGH`.

    Raises:
        ArgumentTypeError: it is not of that form.
    """
    name, _, bounds = text.partition("=")
    try:
        low, high = map(float, bounds.split(":"))
    except ValueError as error:
        message = f"got {text!r}: must be NAME=LOW:HIGH, as lr=0.001:0.3"
        raise ArgumentTypeError(message) from error
    return name, (low, high)


def values_of(declared: Sequence[Argument], args: Namespace) -> dict[str, Any]:
    """All arguments with their values: those given, else the defaults of the class.

    Raises:
        UsageError: one is unknown, or has no value.
    """
    given, names = dict(args.set), [argument.name for argument in declared]
    for name in (*given, *dict(args.space)):
        if name not in names:
            raise UsageError(unknown(args.target, "argument", name, names))
    values = {a.name: given.get(a.name, a.default) for a in declared}
    for argument in declared:
        is_missing = argument.is_required and argument.name not in given
        if is_missing or (argument.name == "lr" and values["lr"] is None):
            way_out = "--lr 0.001" if argument.name == "lr" else f"--set {argument.name}=VALUE"
            raise UsageError(
                f"{args.target} has no default of {argument.name}: give one: {way_out}"
            )
    return values


def decay(target: Any, values: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """The form of weight decay, None where it is none of the two that files declare.

    Then the flags that would change it: the file declares one form.
    """
    form = classes.decay_form(target, values) if "weight_decay" in values else None
    if form not in (classes.L2, classes.DECOUPLED):
        return None, []
    flags = [name for name, value in values.items() if isinstance(value, bool)]
    flipped = {f: classes.decay_form(target, {**values, f: not values[f]}) for f in flags}
    return form, [flag for flag in flags if flipped[flag] not in (form, None)]


def space_of(
    room: Room, args: Namespace, values: Mapping[str, Any], form: str | None
) -> Space | None:
    """What a room's studies try: what is asked for, else a space of the size of the others.

    In that, lr lies around its value, and all else is as another optimizer has it.

    Raises:
        UsageError: all others search what this optimizer does not have.
    """
    if room.search is None:
        return None
    if args.space:
        return dict(args.space)
    spaces = room.search.space
    fitting = [name for name in spaces if "lr" in spaces[name] and set(spaces[name]) <= set(values)]
    if not fitting:
        raise UsageError(
            f"no optimizer of {room.name} searches what this has: name its space, of the size of "
            "theirs: --space lr=0.001:0.3 NAME=LOW:HIGH"
        )

    def likeness(name: str) -> tuple[bool, int]:
        shared = set(room.optimizers[name]) & set(values)
        return signatures.decay_form(name) == form, len(shared)

    like = spaces[max(fitting, key=likeness)]
    return {**like, "lr": around(values["lr"], decades({"lr": like["lr"]}))}


def around(value: float, size: float) -> Range:
    """A range of so many decades with a value in its middle, its ends rounded."""
    low = float(f"{value / 10 ** (size / 2):.3g}")
    return low, float(f"{low * 10**size:.3g}")


def with_rows(text: str, name: str, row: Mapping[str, Any], space: Space | None) -> str:
    """A room's params.yaml with an optimizer's row, and its space where there is a search."""
    text = with_entry(text, ["optimizers"], name, row)
    if space is None:
        return text
    ranges = {dimension: list(bounds) for dimension, bounds in space.items()}
    return with_entry(text, ["search", "space"], name, ranges)


def with_dep(target: str) -> dict[Path, str]:
    """dvc.yaml with a package that is developed among what `validate` looks at; else nothing."""
    place, root = classes.developed_at(target.partition(".")[0]), Path.cwd()
    if place is None or place.is_relative_to(root / classes.SOURCE):
        return {}  # its version counts; or it is among the deps, as all below src is
    dep = os.path.relpath(place, root) if place.is_relative_to(root) else str(place)
    if dep in listed(PIPELINE, VALIDATE_DEPS):
        return {}
    return {PIPELINE: with_item(PIPELINE.read_text(encoding="utf-8"), VALIDATE_DEPS, dep)}


def tell(form: str | None, flags: Sequence[str], unwritable: Sequence[str]) -> None:
    """Says what was measured, and left out."""
    if form is None:
        print(
            "No known form of weight decay was measured, so the file declares no WEIGHT_DECAY: if "
            'you know better, write WEIGHT_DECAY = "L2" or "decoupled" there.'
        )
    else:
        print(f"Weight decay is {form}, by what it does to weights.")
    if flags:
        print(f"Fixed in the file, since it would change that: {', '.join(flags)}.")
    if unwritable:
        print(f"At its default, since params.yaml cannot hold it: {', '.join(unwritable)}.")
