"""The file of an optimizer that wraps a class: its arguments as params.yaml may give them."""

import ast
import inspect
import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch.optim import Optimizer

from optbench.cli.creation import BY_HAND
from optbench.cli.target import SOURCE
from optbench.core.errors import UsageError
from optbench.params import annotations
from optbench.params.annotations import annotation
from optbench.params.signatures import PLAIN, RANGES

# How a step is computed, and no matter of a comparison: as torch decides.
FLAGS = ("foreach", "maximize", "capturable", "differentiable", "fused")
TORCH = "from torch import nn, optim"
TEXT = '''"""{name}, from {package}, as `optbench new optimizer` has written it."""

from typing import Any

{imports}
{constants}

def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
{signature}
) -> optim.Optimizer:
    """{note}"""
    optimizer: optim.Optimizer = {call}(
        param_groups,
{passed}
    )
{modes}    return optimizer
'''
MODES = """\
    modes: Any = optimizer
    modes.train()
    modes.before_evaluation, modes.after_evaluation = modes.eval, modes.train
"""
NOTES = {
    "L2": "`weight_decay` is L2: it joins the gradient.",
    "decoupled": "`weight_decay` is decoupled: each step shrinks weights by lr x weight_decay.",
    None: "The arguments are those of the class.",
}


@dataclass(frozen=True, kw_only=True)
class Argument:
    """An argument of a class, as a wrapper passes it on."""

    name: str
    type: str  # as its annotation is written
    default: Any  # inspect.Parameter.empty: it must be given

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty

    def __str__(self) -> str:
        """As it stands in the signature."""
        return f"{self.name}: {self.type}" + (
            "" if self.is_required else f" = {shown(self.default)}"
        )


def arguments_of(target: type[Optimizer]) -> tuple[list[Argument], list[str]]:
    """The arguments of a class beside its parameters, and the names of those that are left out.

    Left out are flags that change no result, and what params.yaml cannot hold, a function for one.

    Raises:
        UsageError: what it requires cannot be written in params.yaml, or it has no lr.
    """
    arguments, left_out = [], []
    for parameter in list(parameters_of(target))[1:]:
        if parameter.name in FLAGS or parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD,
        ):  # fmt: skip
            continue
        argument = argument_of(parameter)
        if argument is not None:
            arguments.append(argument)
        elif parameter.default is inspect.Parameter.empty:
            raise UsageError(
                f"--target: {target.__name__} requires {parameter.name}, whose type params.yaml "
                f"cannot hold: {BY_HAND}"
            )
        else:
            left_out.append(parameter.name)
    if "lr" not in [argument.name for argument in arguments]:
        raise UsageError(
            f"--target: {target.__name__} takes no lr, which schedules steer: {BY_HAND}"
        )
    return arguments, left_out


def parameters_of(target: type[Optimizer]) -> Sequence[inspect.Parameter]:
    """The signature, its annotations evaluated where they can be.

    Raises:
        UsageError: Python knows none.
    """
    try:
        signature = inspect.signature(target, eval_str=True)
    except Exception:  # an annotation may name what is not there
        try:
            signature = inspect.signature(target)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"--target: {target.__name__} has no signature: {error}: {BY_HAND}"
            ) from error
    return list(signature.parameters.values())


def argument_of(parameter: inspect.Parameter) -> Argument | None:
    """A parameter as params.yaml may give it; None where it cannot."""
    text = written(parameter.annotation) or guessed(parameter)
    if text is None:
        return None
    if parameter.default is inspect.Parameter.empty:
        return Argument(name=parameter.name, type=text, default=parameter.default)
    for type_text in (text, f"{text} | None"):
        hint = annotation(ast.parse(type_text, mode="eval").body, {})
        try:
            # A float's default may be written as 0.
            default = TypeAdapter(hint).validate_python(parameter.default)
            ast.literal_eval(repr(default))
        except (ValidationError, ValueError, SyntaxError):
            continue
        return Argument(name=parameter.name, type=type_text, default=default)
    return None


def written(hint: Any) -> str | None:
    """A type as `params.annotations` reads it, without tensors; None where it cannot."""
    if hint is None or hint is types.NoneType:
        return "None"
    if hint in annotations.PLAIN.values():
        return str(hint.__name__)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"Literal[{', '.join(map(shown, parts))}]"
    if origin in (Union, types.UnionType):
        members = [written(part) for part in parts if part is not Tensor]
        known = [member for member in members if member is not None]
        return " | ".join(known) if len(known) == len(members) else None
    if origin in (tuple, list, dict):
        inner = ["..." if part is Ellipsis else written(part) for part in parts]
        names = [name for name in inner if name is not None]
        return f"{origin.__name__}[{', '.join(names)}]" if len(names) == len(inner) else None
    return None


def shown(value: object) -> str:
    """A literal as the code's style has it."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def guessed(parameter: inspect.Parameter) -> str | None:
    """The type of a parameter that tells none, by its name and default; None where unknown.

    What has neither is taken for a number.
    """
    empty = inspect.Parameter.empty
    if parameter.name in RANGES and parameter.name not in PLAIN:
        return "float"
    if parameter.default is empty:
        return "int | float" if parameter.annotation is empty else None
    return _type_of(parameter.default)


def _type_of(value: object) -> str | None:
    """The type of a default; a whole number may stand for any."""
    if isinstance(value, bool | float | str):
        return type(value).__name__
    if isinstance(value, int):
        return "int | float"
    if isinstance(value, tuple) and value:
        parts = ["float" if isinstance(part, int | float) else _type_of(part) for part in value]
        names = [name for name in parts if name is not None]
        return f"tuple[{', '.join(names)}]" if len(names) == len(parts) else None
    return None


def source_of(
    path: str,
    arguments: Sequence[Argument],
    *,
    fixed: Mapping[str, Any],
    form: str | None,
    has_modes: bool,
) -> str:
    """The text of the wrapper.

    Args:
        path: the class's dotted name.
        arguments: all that it takes from params.yaml.
        fixed: those among them that it shall not, with their values.
        form: of weight decay, where it is known.
        has_modes: whether other weights are judged than are trained.
    """
    module, _, name = path.rpartition(".")
    is_torch = module == "torch.optim"
    free = [argument for argument in arguments if argument.name not in fixed]
    uses_literal = any("Literal" in argument.type for argument in free)
    text = TEXT.replace("import Any\n", "import Any, Literal\n") if uses_literal else TEXT
    return text.format(
        name=name,
        package=module,
        imports=TORCH if is_torch else imports_of(module, name),
        constants=f'\nWEIGHT_DECAY = "{form}"\n' if form else "",
        signature="\n".join(f"    {argument}," for argument in free),
        note=NOTES[form],
        call=f"optim.{name}" if is_torch else name,
        passed="\n".join(
            f"        {a.name}={shown(fixed[a.name]) if a.name in fixed else a.name},"
            for a in arguments
        ),
        modes=MODES if has_modes else "",
    )


def imports_of(module: str, name: str) -> str:
    """The lines that import torch and a class, in the order that the linter asks for."""
    spec = find_spec(module.partition(".")[0])
    origin = Path(spec.origin) if spec and spec.origin else Path()
    line = f"from {module} import {name}"
    if origin.is_relative_to(SOURCE.absolute()):
        return f"{TORCH}\n\n{line}"
    if not (origin.parent / "py.typed").is_file():
        line += "  # type: ignore[import-untyped]"
    return "\n".join(sorted([TORCH, line]))
