"""Ends a process that is asked to end and cannot hear it, stuck in a library's code."""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from types import TracebackType

PATIENCE_S = 60.0


class Watchdog:
    """Inside a `with` block, gives a process that got a signal so many seconds to leave the block.

    Python runs a signal's handler between two of its own instructions; a step that never returns,
    for one that waits for threads that there are not, has none. The signal's number arrives all
    the same, by Python's wakeup file descriptor, and a thread reads it.
    """

    def __init__(self, exit_codes: Mapping[int, int], patience_s: float = PATIENCE_S) -> None:
        """`exit_codes`: by the numbers of the signals that ask for the end."""
        self.exit_codes, self.patience_s = exit_codes, patience_s
        self.has_left = threading.Event()

    def __enter__(self) -> "Watchdog":
        """Begins to listen."""
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.write_end, False)
        self.before = signal.set_wakeup_fd(self.write_end, warn_on_full_buffer=False)
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops listening."""
        signal.set_wakeup_fd(self.before)
        self.has_left.set()
        os.close(self.write_end)
        self.thread.join()
        os.close(self.read_end)

    def _listen(self) -> None:
        """Waits for a signal, and then for the block to be left."""
        while number := os.read(self.read_end, 1):
            code = self.exit_codes.get(number[0])
            if code is not None and not self.has_left.wait(self.patience_s):
                print(
                    f"{signal.Signals(number[0]).name}: no step has ended in {self.patience_s:.0f} "
                    "s: stopped without it; the same command goes on from the last checkpoint",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(code)
