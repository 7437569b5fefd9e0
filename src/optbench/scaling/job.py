"""A stage's command, and how a worker carries it out: in a process, its output in a log.

Only the standard library is needed here, so that every kind of worker can import it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# A trainer writes its checkpoint at the next step; a step of second order may take seconds.
GRACE_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is sent: paths are those of the head node, on storage that both share."""

    stage: str
    command: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]  # added to the worker's
    log: str
    sender: str  # of the `optbench repro` that sent it
    cores: int  # for all its threads


# The processes of the jobs that this worker carries out, with their senders; senders that ended.
_LOCK = threading.RLock()  # a signal may come while it is held
_RUNNING: dict[subprocess.Popen[bytes], str] = {}
_ENDED: set[str] = set()


def execute(job: Job) -> int:
    """Runs a job to its end; gives its exit code, 128 + n where signal n ended it."""
    with Path(job.log).open("ab") as log, _LOCK:
        if job.sender in _ENDED:
            return 128 + signal.SIGTERM
        process = subprocess.Popen(
            job.command,
            cwd=job.folder,
            env=_environment(job),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the head node alone
        )
        _RUNNING[process] = job.sender
    try:
        code = process.wait()
    except BaseException:  # the worker itself is asked to end
        _signal(process, signal.SIGTERM)
        raise
    finally:
        with _LOCK:
            del _RUNNING[process]
    return 128 - code if code < 0 else code


def end(sender: str) -> None:
    """Asks a sender's processes to end, now and in future; kills what is left after a while.

    Who waits in `execute` learns when they have gone.
    """
    with _LOCK:
        _ENDED.add(sender)
        running = _running_of(sender)
    for process in running:
        _signal(process, signal.SIGTERM)
        timer = threading.Timer(GRACE_S, _signal, (process, signal.SIGKILL))
        timer.daemon = True
        timer.start()


def wait(sender: str) -> None:
    """Waits for a sender's processes, also from a signal's handler above `execute`."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    for process in _running_of(sender):
        with suppress(ChildProcessError):  # `execute` has seen its end
            while os.waitid(os.P_PID, process.pid, options) is None:
                time.sleep(0.1)


def sees(folder: str) -> bool:
    """Whether a worker has a folder of the head node."""
    return Path(folder).is_dir()


def _running_of(sender: str) -> list[subprocess.Popen[bytes]]:
    """The processes of a sender."""
    with _LOCK:
        return [process for process, of in _RUNNING.items() if of == sender]


def _environment(job: Job) -> dict[str, str]:
    """The worker's environment, `python` being the one that runs the worker."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, **job.environment}


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to a process and all that it started, if it has not ended."""
    if process.poll() is None:
        os.killpg(process.pid, number)
