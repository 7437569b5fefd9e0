"""How a stage's process ends: by itself, by an error with a message, or with whoever started it."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optbench.core.errors import UsageError
from optbench.supervision.signals import EXIT_CODES

# Whoever started this process, taken before anything slow is imported.
PARENT = os.getppid()
LOOK_EVERY_S = 0.5
# What torchrun tells the processes of a run on several devices: that there are others, which of
# them each is, and where it leaves the reason of its end.
LAUNCHED, NUMBER, MESSAGE_FILE = "TORCHELASTIC_RUN_ID", "RANK", "TORCHELASTIC_ERROR_FILE"
PEER_LOST = 69  # exit code of one that ends since another has ended; sysexits' EX_UNAVAILABLE
# Before torch loads OpenMP: threads that wait for others sleep soon. By default they spin for
# milliseconds, and beside other load keep off the cores those that they wait for. It changes no
# bit, and a run alone is as fast.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")


@contextmanager
def as_stage() -> Iterator[None]:
    """Ends the program with a UsageError's message and exit code, without a traceback.

    Where DVC started it, and DVC is killed, the process gets SIGTERM: nobody is left who would
    take its results. The same holds for those of a run on several devices, and who started them.
    """
    open_closed_streams()
    if "DVC_STAGE" in os.environ or is_launched():
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        yield
        leave()
    except UsageError as error:
        if error.exit_code in EXIT_CODES.values():
            leave()
        tell(error)
        sys.exit(error.exit_code)
    except RuntimeError as error:
        if is_launched() and is_of_connection(error):
            lost = UsageError(
                f"the other processes of this run are out of reach: {error}: run the same command "
                "to go on from the last checkpoint"
            )
            lost.exit_code = PEER_LOST
            tell(lost)
            sys.exit(PEER_LOST)
        raise
    except BrokenPipeError:  # who reads, `head` for one, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(128 + signal.SIGPIPE)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def is_launched() -> bool:
    """Whether this is a process of a run on several devices."""
    return LAUNCHED in os.environ


def is_first() -> bool:
    """Whether it is the one among them that writes and prints."""
    return os.environ.get(NUMBER, "0") == "0"


def leave() -> None:
    """Parts from the other processes of a run, where nothing is on its way between them.

    Else torch's threads are now and then still at work when Python ends, which aborts the process.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed and distributed.is_initialized():
        distributed.destroy_process_group()


def tell(error: UsageError) -> None:
    """Prints an error's message, or leaves it for who started the processes of a run.

    All of them are asked to end at once, and the first says so.
    """
    if not is_launched() or not os.environ.get(MESSAGE_FILE):
        print(error, file=sys.stderr)
    elif error.exit_code not in EXIT_CODES.values():
        message = {"message": str(error), "timestamp": int(time.time())}
        Path(os.environ[MESSAGE_FILE]).write_text(json.dumps(message), encoding="utf-8")
    elif is_first():
        print(error, file=sys.stderr)


def is_of_connection(error: RuntimeError) -> bool:
    """Whether torch's library of messages between processes has lost one of them."""
    return type(error).__name__.startswith("Dist") or "gloo" in str(error).lower()


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
