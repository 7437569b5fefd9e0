"""What a person sees while stages run: a table on a terminal, a line now and then elsewhere."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from optbench.core.duration import duration
from optbench.scaling.schedule import FINAL, State
from optbench.scaling.tail import Progress

LINE_EVERY_S = 30.0
BAR_WIDTH = 40


@dataclass(frozen=True, kw_only=True)
class Running:
    """A stage that runs."""

    stage: str
    elapsed_s: float
    progress: Progress | None  # of a training that has come to a point


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The pipeline at an instant."""

    count: Counter[State]
    running: Sequence[Running]
    left_s: float | None  # None: nothing is known to estimate it from


class View:
    """Shows snapshots, inside a `with` block."""

    def __init__(self, console: Console) -> None:
        """`console`: whether it is a terminal decides how they are shown."""
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._last = time.monotonic()

    def __enter__(self) -> "View":
        """Takes part of the terminal."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Gives the terminal back."""
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Shows a snapshot; where there is no terminal, only if it has been a while."""
        if self._console.is_terminal:
            self._live.update(_table(snapshot), refresh=True)
        elif time.monotonic() - self._last >= LINE_EVERY_S:
            self._last = time.monotonic()
            cells = [f"{running.stage} {_state(running)}" for running in snapshot.running]
            self.say("; ".join([_summary(snapshot), *cells]))

    def say(self, line: str) -> None:
        """Prints a line that stays."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def counted(count: Counter[State]) -> str:
    """How many stages are in each state, for example `3 done, 1 failed`."""
    return ", ".join(f"{count[state]} {state}" for state in State if count[state])


def _table(snapshot: Snapshot) -> RenderableType:
    """A row a running stage, and a bar for the whole."""
    table = Table(box=None, show_header=False)
    for running in snapshot.running:
        table.add_row(Text(running.stage), Text(_state(running)))
    settled = sum(snapshot.count[state] for state in FINAL)
    whole = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=snapshot.count.total(), completed=settled, width=BAR_WIDTH)
    whole.add_row(bar, Text(_summary(snapshot)))
    return Group(table, whole)


def _summary(snapshot: Snapshot) -> str:
    """One line on the whole pipeline."""
    left = "" if snapshot.left_s is None else f"; about {duration(snapshot.left_s)} left"
    return f"{counted(snapshot.count)}{left}"


def _state(running: Running) -> str:
    """How far one stage is."""
    progress = running.progress
    if progress is None:
        return f"for {duration(running.elapsed_s)}"
    left = "" if progress.left_s is None else f", {duration(progress.left_s)} left"
    return f"step {progress.step:,}/{progress.steps:,}, {progress.heldout}{left}"
