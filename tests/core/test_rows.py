from dataclasses import dataclass
from pathlib import Path

import pytest

from optbench.core import rows
from optbench.core.files import publish


@dataclass(frozen=True)
class Row:
    name: str
    count: int
    value: float
    maybe: float | None
    maybe_count: int | None


ROWS = [Row("a,b", 1, 0.1 + 0.2, None, 3), Row("", -2, 1e-300, 5e-324, None)]


def test_rows_read_back_exactly(tmp_path: Path):
    publish(tmp_path / "rows.csv", rows.to_csv(Row, ROWS))
    assert rows.from_csv(Row, tmp_path / "rows.csv") == ROWS


def test_other_columns_are_refused(tmp_path: Path):
    publish(tmp_path / "rows.csv", "name,count\na,1\n")
    with pytest.raises(ValueError, match="has columns"):
        rows.from_csv(Row, tmp_path / "rows.csv")


def test_publish_leaves_nothing_beside_the_file(tmp_path: Path):
    publish(tmp_path / "folder/file", "content")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]
