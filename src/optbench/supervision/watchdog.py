"""Ends a process that is asked to end and cannot hear it, stuck in a library's code."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from optbench.supervision.signals import EXIT_CODES


@contextmanager
def watchdog(patience_s: Callable[[], float], sign: Callable[[], int]) -> Iterator[None]:
    """Gives a process that gets one of `EXIT_CODES` so many seconds to leave the `with` block.

    As many again where `sign` gives another number than before: it is at work and can hear.

    Python runs a signal's handler between two of its instructions; a step that never returns,
    for one that waits for threads that there are not, has none. The signal's number arrives all
    the same, by Python's wakeup file descriptor, and a thread reads it.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    has_left = threading.Event()
    arguments = read_end, patience_s, sign, has_left
    thread = threading.Thread(target=_listen, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        has_left.set()
        os.close(write_end)
        thread.join()
        os.close(read_end)


def _listen(
    read_end: int,
    patience_s: Callable[[], float],
    sign: Callable[[], int],
    has_left: threading.Event,
) -> None:
    """Waits for a signal, and then for the block to be left."""
    codes = {int(number): code for number, code in EXIT_CODES.items()}
    while number := os.read(read_end, 1):
        if (code := codes.get(number[0])) is None:
            continue
        before = None
        while (now := sign()) != before:
            before, seconds = now, patience_s()
            if has_left.wait(seconds):
                break
        else:
            print(
                f"{signal.Signals(number[0]).name}: no step has ended in {seconds:.0f} s: stopped "
                "without it; the same command goes on from the last checkpoint",
                file=sys.stderr,
                flush=True,
            )
            os._exit(code)
