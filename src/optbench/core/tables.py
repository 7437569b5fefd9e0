"""Tables as they are read back: what is damaged, or cannot be, is refused in a sentence."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.core.score import Score

Row = TypeVar("Row")
ROUNDING = 1e-9  # by which the end of an interval may miss a bound


def read_table(
    path: Path, row_type: type[Row], wrong: Callable[[Row], Sequence[str]], *, way_out: str
) -> list[Row]:
    """The rows of a table; `wrong` names the fields of a row that cannot be.

    Raises:
        UsageError: the table is missing or damaged, or a row has such a field.
    """
    try:
        table = rows.from_csv(row_type, path)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UsageError(f"{path} is damaged ({error}): {way_out}") from error
    require_possible(path, table, wrong, way_out=way_out)
    return table


def require_possible(
    path: Path, table: Sequence[Row], wrong: Callable[[Row], Sequence[str]], *, way_out: str
) -> None:
    """Refuses a table with a row of which `wrong` names a field.

    Raises:
        UsageError: names the file, the row, and each such field with its value.
    """
    for number, row in enumerate(table, start=1):
        if fields := wrong(row):
            shown = ", ".join(f"{name} {getattr(row, name)!r}" for name in fields)
            raise UsageError(f"{path}: row {number} has what cannot be, {shown}: {way_out}")


def failing(**holds: bool) -> list[str]:
    """The names of what does not hold."""
    return [name for name, is_right in holds.items() if not is_right]


def is_score(value: float | None, score: Score) -> bool:
    """Whether a score is possible; None is."""
    if value is None:
        return True
    return is_finite(value) and abs(value - score.bounded(value)) <= ROUNDING


def is_finite(value: Any) -> bool:
    """Whether a value is a number that is neither NaN nor infinite; None is."""
    if value is None:
        return True
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def is_positive(value: Any) -> bool:
    """Whether a value is finite and above 0; None is."""
    return value is None or (is_finite(value) and value > 0)


def is_count(value: Any, *, at_least: int = 1) -> bool:
    """Whether a value is a whole number that is large enough."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def are_numbers(values: Any) -> bool:
    """Whether values are a mapping of texts to finite numbers."""
    return isinstance(values, dict) and all(
        isinstance(name, str) and value is not None and is_finite(value)
        for name, value in values.items()
    )


def is_object_of_numbers(text: Any) -> bool:
    """Whether a text is a JSON object of finite numbers; a field that is cut off is no text."""
    try:
        return are_numbers(json.loads(text))
    except (TypeError, ValueError, RecursionError):
        return False
