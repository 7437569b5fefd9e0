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


class Children:
    """The processes of the jobs that a worker is carrying out."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.RLock()  # a signal may come while it is held
        self._running: dict[subprocess.Popen[bytes], str] = {}
        self._ended: set[str] = set()

    def execute(self, job: Job) -> int:
        """Runs a job to its end; gives its exit code, 128 + n where signal n ended it."""
        with Path(job.log).open("ab") as log, self._lock:
            if job.sender in self._ended:
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
            self._running[process] = job.sender
        try:
            code = process.wait()
        except BaseException:  # the worker itself is asked to end
            _signal(process, signal.SIGTERM)
            raise
        finally:
            with self._lock:
                del self._running[process]
        return 128 - code if code < 0 else code

    def end(self, sender: str) -> None:
        """Asks a sender's processes to end, now and in future; kills what is left after a while.

        Who waits in `execute` learns when they have gone.
        """
        with self._lock:
            self._ended.add(sender)
            running = [process for process, of in self._running.items() if of == sender]
        for process in running:
            _signal(process, signal.SIGTERM)
            timer = threading.Timer(GRACE_S, _signal, (process, signal.SIGKILL))
            timer.daemon = True
            timer.start()

    def wait(self, sender: str) -> None:
        """Waits for a sender's processes, also from a signal's handler above `execute`."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with self._lock:
            running = [process for process, of in self._running.items() if of == sender]
        for process in running:
            with suppress(ChildProcessError):  # `execute` has seen its end
                while os.waitid(os.P_PID, process.pid, options) is None:
                    time.sleep(0.1)


CHILDREN = Children()


def execute(job: Job) -> int:
    """What is sent to a worker's process."""
    return CHILDREN.execute(job)


def end(sender: str) -> None:
    """What is sent to a worker's process when a sender ends before its jobs."""
    CHILDREN.end(sender)


def wait(sender: str) -> None:
    """Waits, in a worker's process, until a sender's jobs have ended."""
    CHILDREN.wait(sender)


def sees(folder: str) -> bool:
    """Whether a worker has a folder of the head node."""
    return Path(folder).is_dir()


def _environment(job: Job) -> dict[str, str]:
    """The worker's environment, `python` being the one that runs the worker."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, **job.environment}


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to a process and all that it started, if it has not ended."""
    if process.poll() is None:
        os.killpg(process.pid, number)
