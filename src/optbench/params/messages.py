"""Turns what is wrong with params.yaml into sentences that name the way out."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails

from optbench.core.errors import UsageError

PARAMS = Path("params.yaml")


class DocumentError(UsageError):
    """A file that a person wrote cannot be used: where, why, and the way out."""

    way_out: str  # where {file} stands for the file

    def __init__(self, problems: Sequence[str], file: Path) -> None:
        """`problems`: a sentence each; `file`: where they are."""
        self.problems = tuple(problems)
        lines = (f"{file}: {line}" for line in problems)
        super().__init__("\n".join([*lines, self.way_out.format(file=file)]))


class ParamsError(DocumentError):
    """params.yaml, the project's or a room's, cannot be used."""

    way_out = (
        "Nothing was run. {file} keeps what was written to it: mend it there, or take it back with "
        "`git restore {file}`."
    )


def unknown(path: str, what: str, name: object, known: Iterable[object]) -> str:
    """A name that is none of the known ones."""
    names = sorted(map(str, known))
    near = difflib.get_close_matches(str(name), names, n=1)
    guess = f" did you mean '{near[0]}'?" if near else ""
    return f"{path}: unknown {what} '{name}':{guess} known: {', '.join(names) or 'none'}"


def sentence(path: tuple[str | int, ...], error: ErrorDetails, known: Iterable[object]) -> str:
    """One of pydantic's errors; `known` are the keys allowed beside the offending one."""
    # Without the names of a union's members, which pydantic adds.
    parts = [part for part in error["loc"] if not str(part).startswith(("function-", "tagged"))]
    where = ".".join(map(str, (*path, *parts)))
    value = error["input"]
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return unknown(where, "key", where.rpartition(".")[2], known)
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return f"{where} is missing: add it"
        case _:
            allowed = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
            return f"{where}: got {_show(value)}: {allowed}{_hint(error['type'], value)}"


def _hint(kind: str, value: object) -> str:
    """What to write in place of text that looks like a number."""
    if kind in {"float_type", "int_type"} and isinstance(value, str):
        try:
            return f"; to YAML '{value}' is text, write {float(value)!r}"
        except ValueError:
            return ""
    return ""


def _show(value: Any) -> str:
    """A value, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
