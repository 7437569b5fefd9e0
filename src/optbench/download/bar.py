"""Shows how much of a download has come: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

LINE_EVERY_S = 10


@contextmanager
def byte_progress(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of bytes so far."""
    if sys.stdout.isatty():
        columns = (
            TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task(name, total=size)
            yield lambda arrived: bar.update(task, completed=arrived)
        return
    last_line = time.monotonic()

    def print_line(arrived: int) -> None:
        nonlocal last_line
        if time.monotonic() - last_line >= LINE_EVERY_S:
            last_line = time.monotonic()
            print(f"{name}: {arrived / 1e6:.0f} of {size / 1e6:.0f} MB", flush=True)

    yield print_line
