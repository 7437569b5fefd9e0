"""The arguments that a named part takes, read from its source without importing it.

`optimizers/adam.py` says in the signature of `build` what its block of params.yaml may hold; where
`build` is a class, in that of its `__init__`.
Importing it would import torch, which takes longer than a person waits for a spelling error.
"""

import ast
import re
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, create_model

from optbench.core.errors import UsageError
from optbench.core.registry import PACKAGE, source

# The function that makes a file a part of its kind.
ENTRY = {"datasets": "load", "models": "build", "optimizers": "build", "schedules": "factor"}
SINGULAR = {
    "datasets": "dataset", "models": "network", "optimizers": "optimizer", "schedules": "schedule",
}  # fmt: skip
# Arguments that the pipeline gives, and so params.yaml does not.
SUPPLIED = {"models": {"channels", "classes"}}

Fraction = Annotated[float, Ge(0), Lt(1)]


def increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    """Passes milestones that increase."""
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise ValueError("the values must increase")
    return values


# The field's names mean the same everywhere, so their ranges stand here once.
RANGES: dict[str, Any] = {
    "lr": Annotated[float, Gt(0)],
    "weight_decay": Annotated[float, Ge(0)],
    "momentum": Fraction,
    "betas": tuple[Fraction, Fraction],
    "eps": Annotated[float, Gt(0)],
    "damping": Annotated[float, Gt(0)],
    "kl_clip": Annotated[float, Gt(0)],
    "ema": Fraction,
    "t_cov": Annotated[int, Gt(0)],
    "t_inv": Annotated[int, Gt(0)],
    "curvature_batch": Annotated[int, Gt(1)],
    "max_dim": Annotated[int, Gt(0)] | None,
    "max_rows": Annotated[int, Gt(0)],
    "fallback_lr": Annotated[float, Gt(0)] | None,
    "width": Annotated[int, Gt(0), Lt(4097)],
    "warmup_fraction": Fraction,
    "final_factor": Annotated[float, Ge(0), Le(1)],
    "pct_start": Annotated[float, Gt(0), Lt(1)],
    "div_factor": Annotated[float, Ge(1)],
    "final_div_factor": Annotated[float, Ge(1)],
    "max_momentum": Fraction,
    "min_momentum": Fraction,
    "milestones": Annotated[
        tuple[Annotated[float, Gt(0), Lt(1)], ...], MinLen(1), AfterValidator(increasing)
    ],
    "gamma": Annotated[float, Gt(0), Le(1)],
}
# What optbench.training.scheduling.Scheduler adds to every schedule.
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
    stems = sorted(path.stem for path in (PACKAGE / kind).glob("*.py"))
    return tuple(stem for stem in stems if _entry_point(kind, stem) is not None)


@cache
def arguments(kind: str, name: str) -> type[Arguments]:
    """A model of the arguments that a part takes from params.yaml.

    Required are those without a default. Ranges go by name; other arguments by annotation.
    """
    entry = _entry_point(kind, name)
    if entry is None:
        raise ValueError(f"{source(kind, name)} defines no {ENTRY[kind]}()")
    fields: dict[str, Any] = {}
    for argument, default in zip(entry.args.kwonlyargs, entry.args.kw_defaults, strict=True):
        if argument.arg in SUPPLIED.get(kind, ()):
            continue
        value_type = RANGES.get(argument.arg) or _annotation(kind, name, argument)
        # The function has its own defaults; here it only counts whether there is one.
        fields[argument.arg] = (value_type, ... if default is None else None)
    if kind == "schedules":
        fields |= SHARED_SCHEDULE_ARGS
    model: type[Arguments] = create_model(f"{name} arguments", __base__=Arguments, **fields)
    return model


@cache
def train_images(dataset: str) -> int | None:
    """The size of a data set's training set, if its file says so in TRAIN_IMAGES."""
    for node in ast.parse(source("datasets", dataset).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TRAIN_IMAGES":
            return int(ast.literal_eval(node.value))
    return None


@cache
def decay_form(optimizer: str) -> str | None:
    """`L2` or `decoupled`, as the optimizer's docstring says of `weight_decay`; or None."""
    text = source("optimizers", optimizer).read_text(encoding="utf-8")
    found = re.search(r"weight_decay`?(?:: | is )(L2|decoupled)", text)
    return found[1] if found else None


def _entry_point(kind: str, name: str) -> ast.FunctionDef | None:
    """What makes a file a part of its kind: a function of that name, or a class's `__init__`.

    None where there is neither.
    """
    path = source(kind, name)
    if not path.is_file():
        return None
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == ENTRY[kind]:
            classes = {part.name: part for part in body if isinstance(part, ast.ClassDef)}
            return _function(classes[ast.unparse(node.value)].body, "__init__")
    return _function(body, ENTRY[kind])


def _function(body: Iterable[ast.stmt], name: str) -> ast.FunctionDef | None:
    """The function of that name, or None."""
    functions = (node for node in body if isinstance(node, ast.FunctionDef))
    return next((node for node in functions if node.name == name), None)


def _annotation(kind: str, name: str, argument: ast.arg) -> Any:
    """The type that an argument's annotation names; anything where there is none.

    Raises:
        UsageError: the annotation names more than built-in types.
    """
    if argument.annotation is None:
        return Any
    known = {"Literal": Literal, "float": float, "int": int, "bool": bool, "str": str,
             "tuple": tuple, "list": list, "dict": dict}  # fmt: skip
    text = ast.unparse(argument.annotation)
    try:
        return eval(text, {"__builtins__": {}}, known)
    except NameError as error:
        raise UsageError(
            f"{source(kind, name)}: the annotation of '{argument.arg}' must be of built-in types, "
            f"so that params.yaml can be checked against it; got '{text}'"
        ) from error
