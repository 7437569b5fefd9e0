"""Shows a run's progress: a bar on a terminal, a line now and then elsewhere; and keeps its times.

Times go to `logs/` as JSON, a line a point, which programs read: results hold no wall-clock. Who
started this process may name one more file for them, which then holds those of this start alone.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from optbench.core.records import Diagnostic, Point
from optbench.core.score import Score

LOGS = Path("logs")
VARIABLE = "OPTBENCH_PROGRESS"  # names that file
PAUSE_S = 1.0  # at least, between two lines of a run; its last point always has one


class Steps(Protocol):
    """What is asked of a training. It needs no torch, so whoever watches can import this file."""

    @property
    def step(self) -> int:
        """Steps done."""
        ...

    @property
    def steps(self) -> int:
        """Steps in all."""
        ...


class PointProgress:
    """Watches a training, inside a `with` block."""

    def __init__(self, name: str, training: Steps, score: Score) -> None:
        """`name`: the run's, for example `digits-cnn/suite/sgd-cosine-0`."""
        self.name, self.training, self.score = name, training, score
        self.log = log_of(name)
        watched = os.environ.get(VARIABLE)
        self.logs = [self.log, Path(watched)] if watched else [self.log]
        columns = (
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )  # fmt: skip
        terminal = sys.stdout.isatty()
        self.bar = Progress(*columns, console=Console(), disable=not terminal, transient=True)
        self.task = self.bar.add_task(name, total=training.steps, state="")
        self.print_line = not terminal

    def __enter__(self) -> "PointProgress":
        """Starts the bar, and a new log unless training goes on."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if not self.training.step:
            self.log.write_text("", encoding="utf-8")
        self.bar.start()
        self.last_step, self.last = self.training.step, time.perf_counter()
        self.last_line = self.last
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Takes the bar away."""
        self.bar.stop()

    def step(self, step: int) -> None:
        """Moves the bar."""
        self.bar.update(self.task, completed=step)

    def scored(self) -> None:
        """Shows nothing."""

    def point(self, point: Point, diagnostics: Sequence[Diagnostic]) -> None:
        """Shows a point, and logs how long it took to get there and how the optimizer fares."""
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        score = self.score
        state = (
            f"step {point.step:,}/{self.training.steps:,}  train loss {point.train_loss:.4f}  "
            f"held-out {score.name} {score.with_unit(point.heldout_score)}"
        )
        health = {diagnostic.name: diagnostic.value for diagnostic in diagnostics}
        self.bar.update(self.task, state=state)
        is_last = point.step == self.training.steps
        if self.print_line and (is_last or now - self.last_line >= PAUSE_S):
            self.last_line = now
            words = "".join(f"  {name} {value:.3g}" for name, value in health.items())
            print(f"{self.name}: {state}{words}  {seconds:.1f} s", flush=True)
        line = {
            **health,
            "since_step": self.last_step,
            "step": point.step,
            "steps": self.training.steps,
            # The loss tells later whether this is the log of the results that are there.
            "heldout_loss": point.heldout_loss,
            "heldout": f"{score.name} {score.with_unit(point.heldout_score)}",
            "time_s": round(seconds, 3),  # since `since_step`
        }
        for path in self.logs:
            with path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
        self.last_step = point.step


def log_of(name: str) -> Path:
    """Where the times of a run are, for example `logs/digits-cnn/suite/sgd-cosine-0.jsonl`."""
    return LOGS / f"{name}.jsonl"
