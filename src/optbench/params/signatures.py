"""What a named part declares, read from its source without importing it.

`optimizers/adam.py` says in the signature of `build` what its row of params.yaml may hold; where
`build` is a class, in that of its `__init__`. Constants of the file say the rest: the form of
weight decay, the schedules it refuses, the size of a data set. Importing it would import torch,
which takes longer than a person waits for a spelling error.
"""

import ast
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, create_model

from optbench.core.errors import UsageError
from optbench.core.registry import PACKAGE, source
from optbench.params.annotations import UnreadableError, annotation, assignments, literal
from optbench.params.messages import sentence

# The function that makes a file a part of its kind.
ENTRY = {
    "datasets": "load", "models": "build", "optimizers": "build", "schedules": "factor",
    "tasks": "build",
}  # fmt: skip
SINGULAR = {
    "datasets": "dataset", "models": "network", "optimizers": "optimizer", "schedules": "schedule",
    "tasks": "task",
}  # fmt: skip
# Arguments that the pipeline gives, and so params.yaml does not.
SUPPLIED: dict[str, Collection[str]] = {"tasks": ("seed", "device")}

Fraction = Annotated[float, Ge(0), Lt(1)]


def increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    """Passes milestones that increase."""
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise ValueError("the values must increase")
    return values


# The field's names mean the same everywhere, so their ranges stand here once. They hold for
# arguments of a plain type; one that is `Annotated` has its own.
RANGES: dict[str, Any] = {
    "lr": Annotated[float, Gt(0)],
    "weight_decay": Annotated[float, Ge(0)],
    "momentum": Fraction,
    "betas": tuple[Fraction, Fraction],
    "eps": Annotated[float, Gt(0)],
    "damping": Annotated[float, Gt(0)],
    "width": Annotated[int, Gt(0), Lt(4097)],
    "warmup_fraction": Fraction,
    "final_factor": Annotated[float, Ge(0), Le(1)],
    "milestones": Annotated[
        tuple[Annotated[float, Gt(0), Lt(1)], ...], MinLen(1), AfterValidator(increasing)
    ],
    "gamma": Annotated[float, Gt(0), Le(1)],
}
# The plain types for which a range of that name is meant.
PLAIN: dict[str, Any] = {
    "betas": tuple[float, float], "milestones": tuple[float, ...], "width": int,
}  # fmt: skip
# What optbench.training.scheduling.Scheduler adds to every schedule; a schedule's file may say in
# WARMUP_FRACTION how much warm-up it has by default.
SHARED_SCHEDULE_ARGS: dict[str, Any] = {
    "warmup_fraction": (RANGES["warmup_fraction"], 0.0),
    "stepping": (Literal["iteration", "epoch"], "iteration"),
}


class Arguments(BaseModel):
    """Base of the models that hold a part's arguments: strict, closed, finite numbers."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


@cache
def names(kind: str) -> tuple[str, ...]:
    """The known names of a kind, sorted."""
    pattern = "*/task.py" if kind == "tasks" else "*.py"
    files = (PACKAGE / kind).glob(pattern)
    stems = sorted(path.parent.name if kind == "tasks" else path.stem for path in files)
    return tuple(stem for stem in stems if _entry_point(kind, stem) is not None)


@cache
def arguments(kind: str, name: str, supplied: tuple[str, ...] = ()) -> type[Arguments]:
    """A model of the arguments that a part takes from params.yaml, with their defaults.

    `supplied` are those that something else gives.

    Raises:
        UsageError: the file annotates an argument, or gives it a default, that cannot be read.
    """
    entry = _entry_point(kind, name)
    if entry is None:
        raise ValueError(f"{source(kind, name)} defines no {ENTRY[kind]}()")
    fields: dict[str, Any] = {}
    for argument, default in zip(entry.args.kwonlyargs, entry.args.kw_defaults, strict=True):
        if argument.arg not in {*SUPPLIED.get(kind, ()), *supplied}:
            fields[argument.arg] = _field(kind, name, argument, default)
    if kind == "schedules":
        fields |= SHARED_SCHEDULE_ARGS
        if (fraction := constant(kind, name, "WARMUP_FRACTION")) is not None:
            fields["warmup_fraction"] = (RANGES["warmup_fraction"], fraction)
    model: type[Arguments] = create_model(f"{name} arguments", __base__=Arguments, **fields)
    return model


@cache
def constant(kind: str, name: str, constant_name: str) -> Any:
    """What a part's file assigns to a constant, a literal; None where it does not.

    Raises:
        UsageError: it is no literal.
    """
    values = assignments(_module(kind, name))
    if constant_name not in values:
        return None
    try:
        return literal(values[constant_name], values)
    except UnreadableError as error:
        raise UsageError(
            f"{source(kind, name)}: {constant_name} must be a literal, so that it can be read "
            f"without importing the file; got '{error}'"
        ) from error


def decay_form(optimizer: str) -> str | None:
    """`L2` or `decoupled`, as the optimizer's file declares in `WEIGHT_DECAY`; or None."""
    form: str | None = constant("optimizers", optimizer, "WEIGHT_DECAY")
    return form


def untuned(optimizer: str) -> dict[str, Any]:
    """An optimizer's arguments as its authors leave them: the defaults, and those of `UNTUNED`.

    Raises:
        UsageError: its file says no values, or some that it does not take.
    """
    values = constant("optimizers", optimizer, "UNTUNED")
    if values is None:
        raise UsageError(
            f"{source('optimizers', optimizer)} names no values of its authors: write UNTUNED = "
            '{"lr": ...}, or take its untuned arm out'
        )
    file, shape = source("optimizers", optimizer), arguments("optimizers", optimizer)
    if not isinstance(values, Mapping):
        raise UsageError(f"{file}: UNTUNED: got {values!r}: must map names to values")
    try:
        return shape(**values).model_dump()
    except ValidationError as error:
        known = tuple(shape.model_fields)
        problems = "; ".join(sentence(("UNTUNED",), wrong, known) for wrong in error.errors())
        raise UsageError(f"{file}: {problems}") from error


@cache
def _module(kind: str, name: str) -> ast.Module:
    """A part's file, parsed.

    Raises:
        UsageError: it is no Python.
    """
    path = source(kind, name)
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no Python: {error}: mend it there") from error


def _entry_point(kind: str, name: str) -> ast.FunctionDef | None:
    """What makes a file a part of its kind: a function of that name, or a class's `__init__`.

    None where there is neither.

    Raises:
        UsageError: it is something else, whose arguments cannot be read.
    """
    if not name.isidentifier() or not source(kind, name).is_file():
        return None
    body = _module(kind, name).body
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == ENTRY[kind]:
            classes = {part.name: part.body for part in body if isinstance(part, ast.ClassDef)}
            entry = _function(classes.get(ast.unparse(node.value), ()), "__init__")
            if entry is None:
                raise UsageError(
                    f"{source(kind, name)}: {ENTRY[kind]} must be a function, or a class with an "
                    f"__init__, of this file; got '{ast.unparse(node.value)}'"
                )
            return entry
    return _function(body, ENTRY[kind])


def _function(body: Iterable[ast.stmt], name: str) -> ast.FunctionDef | None:
    """The function of that name, or None."""
    functions = (node for node in body if isinstance(node, ast.FunctionDef))
    return next((node for node in functions if node.name == name), None)


def _field(kind: str, name: str, argument: ast.arg, default: ast.expr | None) -> tuple[Any, Any]:
    """An argument's type and its default, `...` where it has none.

    Raises:
        UsageError: one of the two cannot be read.
    """
    module = assignments(_module(kind, name))
    try:
        if argument.annotation is None:
            value_type: Any = Any
        else:
            value_type = annotation(argument.annotation, module)
        if argument.arg in RANGES and value_type == PLAIN.get(argument.arg, float):
            value_type = RANGES[argument.arg]
        return value_type, ... if default is None else literal(default, module)
    except UnreadableError as error:
        raise UsageError(
            f"{source(kind, name)}: '{error}' of the argument '{argument.arg}' cannot be read: an "
            "annotation must be of built-in types, Literal, and Annotated with Gt, Ge, Lt, Le; a "
            "default must be a literal"
        ) from error
