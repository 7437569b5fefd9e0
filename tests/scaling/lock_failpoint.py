"""Runs `optbench repro` and ends it, as a power cut would, at a step of writing a dvc.lock.

python tests/scaling/lock_failpoint.py STEP HOW WRITER: at the STEP-th time, from 1, that it opens
dvc.lock or a copy of it for writing, renames or removes one. HOW: `before` it does so, or with
`half` of the file written, which a limit on file size brings about. WRITER: `whole`, the project's,
or `in-place`, DVC's.
"""

import os
import resource
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

from optbench.cli.main import main
from optbench.scaling import pipeline

WRITING = os.O_WRONLY | os.O_RDWR
LOCK = Path("dvc.lock")


def is_step(event: str, arguments: tuple) -> bool:
    """Whether what Python is about to do changes the lock file or a copy of it."""
    if event == "open":
        path, _, flags = arguments
        return LOCK.name in str(path) and bool(flags & WRITING)
    return event in ("os.rename", "os.remove") and LOCK.name in str(arguments[0])


def end_at(step: int, *, half: bool) -> None:
    """Has the process end at a step."""
    steps, limit = 0, LOCK.stat().st_size // 2

    def hook(event: str, arguments: tuple) -> None:
        nonlocal steps
        if event not in ("open", "os.rename", "os.remove") or not is_step(event, arguments):
            return
        steps += 1
        if steps != step:
            return
        if not half:
            os.kill(os.getpid(), signal.SIGKILL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    sys.addaudithook(hook)


if __name__ == "__main__":
    number, how, writer = sys.argv[1:]
    if writer == "in-place":
        pipeline.written_whole = nullcontext
    end_at(int(number), half=how == "half")
    sys.exit(main(["repro"], Path.cwd()))
