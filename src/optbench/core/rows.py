"""CSV files of frozen dataclasses: a header of field names, then a line a row.

Floats are written so that they read back exactly; None is an empty field.
"""

import csv
import dataclasses
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")


def to_csv(row_type: type[Any], rows: Iterable[Any]) -> str:
    """The text of a CSV file."""
    names = [field.name for field in dataclasses.fields(row_type)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([getattr(row, name) for name in names] for row in rows)
    return text.getvalue()


def from_csv(row_type: type[Row], path: Path) -> list[Row]:
    """The rows of a file that `to_csv` wrote.

    Raises:
        ValueError: the columns are not the dataclass's fields, or a value is not of its type.
    """
    types: dict[str, Any] = {
        field.name: field.type
        for field in dataclasses.fields(row_type)  # type: ignore[arg-type]
    }
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        if reader.fieldnames != list(types):
            raise ValueError(f"{path.name} has columns {reader.fieldnames}, expected {list(types)}")
        return [
            row_type(**{name: _parse(row[name], types[name]) for name in types}) for row in reader
        ]


def _parse(text: str, field_type: Any) -> str | int | float | None:
    """A field's value; an empty field is None, except where the type is str."""
    if field_type is str:
        return text
    if field_type is int:
        return int(text)
    if text == "" and field_type is not float:
        return None
    return int(text) if field_type == int | None else float(text)
