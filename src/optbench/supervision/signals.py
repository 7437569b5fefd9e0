"""The signals that ask a process to end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# With the exit code that each leads to. SIGUSR1, the notice before a preemption, ends as SIGTERM.
EXIT_CODES = {
    signal.SIGTERM: 128 + signal.SIGTERM,
    signal.SIGINT: 128 + signal.SIGINT,
    signal.SIGHUP: 128 + signal.SIGHUP,
    signal.SIGUSR1: 128 + signal.SIGTERM,
}


@contextmanager
def handled_by(
    handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals
) -> Iterator[None]:
    """Within, a handler takes these signals, but for SIGHUP where `nohup` keeps it away."""
    heard = [number for number in numbers if not is_kept_away(number)]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)


def is_kept_away(number: signal.Signals) -> bool:
    """Whether who started this process has it live on when its terminal goes."""
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
