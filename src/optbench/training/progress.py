"""Shows a run's progress: a bar on a terminal, a line an epoch elsewhere; and keeps its times.

Times go to `logs/`, which nothing depends on: results hold no wall-clock.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from optbench.core.records import Diagnostic, Epoch
from optbench.training.loop import Training

LOGS = Path("logs")


class EpochProgress:
    """Watches a training, inside a `with` block."""

    def __init__(self, name: str, training: Training) -> None:
        """`name`: the run's, for example `digits-cnn/suite/sgd-cosine-0`."""
        self.name, self.training = name, training
        self.log = LOGS / f"{name}.jsonl"
        columns = (
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )  # fmt: skip
        terminal = sys.stdout.isatty()
        self.bar = Progress(*columns, console=Console(), disable=not terminal, transient=True)
        self.task = self.bar.add_task(name, total=training.steps, state="")
        self.print_line = not terminal

    def __enter__(self) -> "EpochProgress":
        """Starts the bar, and a new log unless training goes on."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if not self.training.step:
            self.log.write_text("", encoding="utf-8")
        self.bar.start()
        self.last = time.perf_counter()
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

    def epoch(self, epoch: Epoch, diagnostics: Sequence[Diagnostic]) -> None:
        """Shows an epoch, and logs how long it took and how the optimizer fares."""
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        state = (
            f"epoch {epoch.epoch}/{self.training.epochs}  train loss {epoch.train_loss:.4f}  "
            f"held-out accuracy {epoch.heldout_accuracy:.2%}"
        )
        health = {diagnostic.name: diagnostic.value for diagnostic in diagnostics}
        self.bar.update(self.task, state=state)
        if self.print_line:
            words = "".join(f"  {name} {value:.3g}" for name, value in health.items())
            print(f"{self.name}: {state}{words}  {seconds:.1f} s", flush=True)
        with self.log.open("a", encoding="utf-8") as log:
            # The loss tells later whether this is the log of the results that are there.
            known = {"epoch": epoch.epoch, "heldout_loss": epoch.heldout_loss}
            line = {**known, "time_s": round(seconds, 3), **health}
            log.write(json.dumps(line) + "\n")
