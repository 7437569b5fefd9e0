"""When a training is kept, and how it is asked to end."""

import math
import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType, TracebackType

from optbench.core.errors import UsageError
from optbench.core.records import Diagnostic, Point
from optbench.supervision.checkpoint import Checkpoints
from optbench.supervision.signals import EXIT_CODES, handled_by
from optbench.supervision.watchdog import watchdog
from optbench.training.loop import Training

VARIABLE = "OPTBENCH_CHECKPOINT_S"
DEFAULT_EVERY_S = 60.0
# By default, writing checkpoints takes no larger share of the time than this.
SHARE = 0.02
STEPS_OF_PATIENCE = 3  # with a step that may hang
PATIENCE_S = 60.0


class Interrupted(UsageError):
    """The process was asked to end, and has kept where it was."""

    def __init__(self, message: str, number: int) -> None:
        """`number`: the signal."""
        super().__init__(message)
        self.exit_code = EXIT_CODES[signal.Signals(number)]


class Keeper:
    """Watches a training inside a `with` block: keeps it now and then, and when a signal comes.

    A checkpoint is written once a minute and at each point of the history, but less often where
    writing is so slow that it would take over 2 % of the time. OPTBENCH_CHECKPOINT_S sets the
    seconds between two in place of that; 0 writes one after each step.

    On several devices the first process alone writes, and all end after the same step, once it has:
    at each they ask one another for signals. While they score they do not: the first ends at once,
    and who is left with it; another goes on to the next step.
    """

    def __init__(self, training: Training, checkpoints: Checkpoints) -> None:
        """Keeps `training` in `checkpoints`."""
        self.training, self.checkpoints = training, checkpoints
        chosen_s = seconds_between()
        self.every_s = DEFAULT_EVERY_S if chosen_s is None else chosen_s
        self.rest = 1 / SHARE if chosen_s is None else 0.0  # in writing times
        self.signal: int | None = None
        self.scored_batches = 0
        self.write_s = self.longest_s = 0.0  # of a checkpoint; of a step
        self.saved_position: tuple[int, int] | None = None

    def __enter__(self) -> "Keeper":
        """Takes over the signals that ask a process to end."""
        self.listening = ExitStack()
        self.listening.enter_context(handled_by(self._note, *EXIT_CODES))
        self.listening.enter_context(watchdog(self._patience_s, lambda: self.scored_batches))
        self.saved_at = self.stepped_at = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keeps a training that was interrupted, and gives the signals back.

        Where it scored, not before: weights that an optimizer puts in place for that are taken away
        by then.
        """
        if isinstance(error, Interrupted):
            self._save()
        self.listening.close()

    def step(self, step: int) -> None:
        """Keeps the training where it is time, and ends it where a signal has come."""
        now = time.monotonic()
        self.longest_s = max(self.longest_s, now - self.stepped_at)
        self.stepped_at = now
        # What all agree on: one that comes meanwhile is heard at the next step.
        if number := self.training.world.largest(self.signal or 0):
            self._save()
            # Others wait for the first, which has little time to write once one of them has ended.
            self.training.world.largest(0)
            raise self._interrupted(number)
        if self._is_due(self.every_s):
            self._save()

    def scored(self) -> None:
        """Ends the training where a signal has come."""
        self.scored_batches += 1
        if self.training.world.is_first and self.signal:
            raise self._interrupted(self.signal)

    def point(self, point: Point, diagnostics: Sequence[Diagnostic]) -> None:
        """Keeps the training, unless the last checkpoint is too young for its cost."""
        if self._is_due(0):
            self._save()

    def _patience_s(self) -> float:
        """What a step may take that is to be kept, once a signal has come."""
        return max(PATIENCE_S, STEPS_OF_PATIENCE * self.longest_s)

    def _is_due(self, after_s: float) -> bool:
        """Whether the last checkpoint is that old, and old enough for what it cost."""
        elapsed = time.monotonic() - self.saved_at
        return elapsed >= max(after_s, self.rest * self.write_s)

    def _save(self) -> None:
        """Writes a checkpoint, unless the latest holds this very state, and times it."""
        is_kept = self.saved_position == self.training.course.position
        if is_kept or not self.training.world.is_first:
            return
        start = time.monotonic()
        self.checkpoints.save(self.training)
        self.saved_at = time.monotonic()
        self.write_s = self.saved_at - start
        self.saved_position = self.training.course.position

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Remembers the signal until the step is done; a second SIGINT ends at once."""
        if number == signal.SIGINT and self.signal == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        self.signal = number

    def _interrupted(self, number: int) -> Interrupted:
        """The end that a signal asked for."""
        return Interrupted(
            f"{signal.Signals(number).name}: stopped after step {self.training.step} of "
            f"{self.training.steps}, which is kept: run the same command to go on",
            number,
        )


def seconds_between() -> float | None:
    """What OPTBENCH_CHECKPOINT_S says; None where it is not set.

    Raises:
        UsageError: it is no number of seconds.
    """
    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise UsageError(f"{VARIABLE}: got '{text}': must be a number of seconds, 0 or more")
    return seconds
