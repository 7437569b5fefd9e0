"""Types and literals read from source text: nothing of it is imported or evaluated."""

import ast
from collections.abc import Mapping
from operator import getitem
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen

PLAIN = {"float": float, "int": int, "bool": bool, "str": str}
GENERIC: dict[str, Any] = {"tuple": tuple, "list": list, "dict": dict}
LITERAL: Any = Literal
ANNOTATED: Any = Annotated
BOUNDS: dict[str, Any] = {
    "Gt": Gt, "Ge": Ge, "Lt": Lt, "Le": Le, "MinLen": MinLen, "MaxLen": MaxLen,
}  # fmt: skip


class UnreadableError(ValueError):
    """The text names more than is known here."""


def annotation(node: ast.expr, names: Mapping[str, ast.expr]) -> Any:
    """The type that an annotation names.

    Known are built-in types, `Literal`, `Annotated` with bounds of annotated_types, unions, and
    `names`: the module's assignments, by their names.

    Raises:
        UnreadableError: it names something else.
    """
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in PLAIN:
            return PLAIN[name]
        case ast.Name(id=name) if name in names:
            return annotation(names[name], names)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return annotation(left, names) | annotation(right, names)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=parameters):
            values = tuple(literal(item, names) for item in _items(parameters))
            return getitem(LITERAL, values)
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[first, *bounds])):
            limits = tuple(_bound(bound, names) for bound in bounds)
            return getitem(ANNOTATED, (annotation(first, names), *limits))
        case ast.Subscript(value=ast.Name(id=name), slice=parameters) if name in GENERIC:
            parts = tuple(
                ... if ast.unparse(item) == "..." else annotation(item, names)
                for item in _items(parameters)
            )
            return getitem(GENERIC[name], parts)
    raise UnreadableError(ast.unparse(node))


def literal(node: ast.expr, names: Mapping[str, ast.expr]) -> Any:
    """The value of a literal, or of a name that the module assigns one to.

    Raises:
        UnreadableError: it is something else.
    """
    if isinstance(node, ast.Name) and node.id in names:
        return literal(names[node.id], names)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise UnreadableError(ast.unparse(node)) from error


def assignments(module: ast.Module) -> dict[str, ast.expr]:
    """What a module assigns to single names at its top level."""
    values: dict[str, ast.expr] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            values[node.target.id] = node.value
    return values


def _items(node: ast.expr) -> list[ast.expr]:
    """The parameters between brackets."""
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _bound(node: ast.expr, names: Mapping[str, ast.expr]) -> Any:
    """A bound such as `Gt(0)`."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[value], keywords=[]) if name in BOUNDS:
            return BOUNDS[name](literal(value, names))
    raise UnreadableError(ast.unparse(node))
