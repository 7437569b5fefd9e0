"""How a stage's process ends: by itself, by an error plainly told, or with whoever started it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from optbench.core.errors import UsageError

# Whoever started this process, taken before anything slow is imported.
PARENT = os.getppid()
LOOK_EVERY_S = 0.5
# Before torch loads OpenMP: threads that wait for others sleep soon. By default they spin for
# milliseconds, and beside other load keep off the cores those that they wait for. It changes no
# bit, and a run alone is as fast.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")


@contextmanager
def as_stage() -> Iterator[None]:
    """Ends the program with a UsageError's message and exit code, without a traceback.

    Where DVC started it, and DVC is killed, the process gets SIGTERM: nobody is left who would
    take its results.
    """
    open_closed_streams()
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        yield
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # who reads, `head` for one, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(128 + signal.SIGPIPE)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def open_closed_streams() -> None:
    """Opens those of the three standard streams that were closed, for nobody to read.

    Else Python has None in their place, and the next file that is opened takes their number.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _end_with_parent() -> None:
    """Waits until the parent has gone, whenever that was, then asks this process to end."""
    while os.getppid() == PARENT:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
