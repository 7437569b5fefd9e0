"""Notices that a run waits for processor cores which others have, and says so."""

import time
from collections.abc import Sequence
from pathlib import Path

from optbench.core.records import Diagnostic, Point

TASKS = Path("/proc/self/task")  # of Linux: a folder for each thread
EVERY_S = 10.0
SHARE_MAX = 0.4  # of the time that threads are ready to run; beside idle cores it is below 0.05


class Contention:
    """Watches a training, and tells once if its threads wait for cores for too large a share."""

    def __init__(self, name: str) -> None:
        """`name`: the run's."""
        self.name, self.has_told = name, False
        self.at, self.before = time.monotonic(), times()

    def step(self, step: int) -> None:
        """Looks every ten seconds, the first time ten seconds after the start."""
        now = time.monotonic()
        if self.has_told or now - self.at < EVERY_S:
            return
        after = times()
        share = waiting_share(self.before, after)
        self.at, self.before = now, after
        if share is not None and share > SHARE_MAX:
            self.has_told = True
            print(
                f"{self.name}: this machine is busy: threads of this run wait for a core "
                f"{100 * share:.0f} % of the time, so it takes {1 / (1 - share):.1f} times as "
                "long, or more; its results are the same",
                flush=True,
            )

    def scored(self) -> None:
        """Looks at steps alone."""

    def point(self, point: Point, diagnostics: Sequence[Diagnostic]) -> None:
        """Looks at steps alone."""


def times() -> tuple[int, int] | None:
    """Nanoseconds that this process' threads ran, and were ready but waited; None: unknown here."""
    ran = waited = 0
    try:
        for task in TASKS.iterdir():
            try:
                running, waiting, _ = (task / "schedstat").read_text().split()
            except FileNotFoundError:  # ended since it was listed
                continue
            ran, waited = ran + int(running), waited + int(waiting)
    except (OSError, ValueError):
        return None
    return ran, waited


def waiting_share(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    """Of the time between in which threads were ready, the share that they waited for a core."""
    if before is None or after is None:
        return None
    ran, waited = (max(0, late - early) for early, late in zip(before, after, strict=True))
    return waited / (ran + waited) if ran + waited else None
