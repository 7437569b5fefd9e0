"""Runs a stage that kills itself with SIGKILL at a named point, as a power cut would.

python tests/faults/failpoint.py POINT COUNT STAGE ARGUMENT...: at the COUNT-th time that POINT is
reached. The stage's own code is as it is; what it calls is wrapped here.
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optbench.core import files, records
from optbench.supervision.keeper import Keeper
from optbench.training.loop import Learner


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def always(*_: object) -> bool:
    return True


def at_call(count: int, owner: Any, name: str, act: Callable, *, when: Callable = always) -> None:
    """Lets `act` take the place of the count-th call of owner.name for which `when` holds."""
    original, calls = getattr(owner, name), 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += when(*args)
        if when(*args) and calls == count:
            return act(original, *args, **kwargs)
        return original(*args, **kwargs)

    setattr(owner, name, wrapped)


def is_checkpoint(path: object, *_: object) -> bool:
    return ".checkpoint" in str(path)


def after(original: Callable, *args: Any, **kwargs: Any) -> None:
    original(*args, **kwargs)
    kill()


def instead(*_: Any, **__: Any) -> None:
    kill()


def half_written(original: Callable, descriptor: int) -> None:
    """What of a file has reached the disk when the machine stops while it is written."""
    os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
    kill()


POINTS: dict[str, Callable[[int], None]] = {
    # Gradients are there, the update is not.
    "step": lambda n: at_call(n, Learner, "backward", after),
    "write": lambda n: at_call(n, files.os, "fsync", half_written, when=is_checkpoint_open),
    "rename": lambda n: at_call(n, Path, "replace", instead, when=is_checkpoint),
    "renamed": lambda n: at_call(n, Path, "replace", after, when=is_checkpoint),
    "scoring": lambda n: at_call(n, Keeper, "scored", instead),
    "results": lambda n: at_call(n, records, "publish", after),
    "rendering": lambda n: at_call(n, renderer(), "publish", after),
}


def renderer() -> Any:
    """Imported here alone: it takes long."""
    from optbench.report import render

    return render


def is_checkpoint_open(descriptor: int) -> bool:
    return is_checkpoint(Path(f"/proc/self/fd/{descriptor}").readlink())


if __name__ == "__main__":
    point, count, stage, *arguments = sys.argv[1:]
    POINTS[point](int(count))
    sys.argv = [stage, *arguments]
    runpy.run_path(stage, run_name="__main__")
