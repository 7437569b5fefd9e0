"""One process at a time for one piece of work."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from optbench.core.errors import Busy
from optbench.core.files import publish, require_writable

LOCKS = Path("scratch/locks")


@contextmanager
def exclusive(work: str) -> Iterator[None]:
    """Holds the lock of a piece of work, for example `digits-cnn/run`; it ends with the process.

    Raises:
        Busy: another process holds it; the message names that process.
        UsageError: the lock's folder cannot be written.
    """
    path = LOCKS / f"{work}.lock"
    holder = path.with_suffix(".holder")
    require_writable(path.parent)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        name = holder.read_text(encoding="utf-8") if holder.is_file() else "another process"
        raise Busy(
            f"{work} is in work by {name}: wait for it, or end it and run this again"
        ) from error
    with lock:
        publish(holder, f"process {os.getpid()} on {platform.node()}")
        yield
