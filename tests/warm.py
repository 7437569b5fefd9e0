"""A Python that has imported torch and DVC, and forks for each script: saves seconds a process.

So does DVC, where it runs in such a fork, for each stage that is a script of Python. What a script
imports of the project is imported anew in each fork.
"""

import atexit
import gc
import importlib
import json
import logging
import os
import runpy
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

# What stages and `optbench` import, and what `dvc repro` and `dvc exp run` do.
PRELOADED = (
    "torch._dynamo", "torch._inductor.config", "torch.distributed", "scipy.stats",
    "scipy.optimize", "sklearn.datasets", "matplotlib.pyplot", "rich.progress",
    "jinja2", "pydantic.main", "ruamel.yaml", "tabulate", "yaml",
    "dvc.cli", "dvc.cli.parser", "dvc.repo", "dvc.repo.reproduce", "dvc.repo.experiments.run",
    "dvc.repo.experiments.executor.local", "dvc.stage.cache", "dvc.stage.run", "dvc.output",
    "dvc_data.index", "dvc_data.hashfile.build", "scmrepo.git", "networkx", "dulwich.porcelain",
    "dvc.repo.index", "dvc.repo.experiments.queue.celery", "dvc.repo.experiments.queue.workspace",
    "dvc.utils.hydra", "hydra.core.override_parser.overrides_parser", "hydra.conf",
)  # fmt: skip


class Warm:
    """Runs scripts, each in a fork."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, *command: str, cwd: Path, env: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """As subprocess.run does with `python` before the command; output is in `stdout`."""
        process = self.start(*command, cwd=cwd, env=env)
        output, _ = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, output)

    def start(self, *command: str, cwd: Path, env: dict[str, str]) -> "Forked":
        """As subprocess.Popen does with `python` before the command."""
        output = tempfile.NamedTemporaryFile("r")  # noqa: SIM115
        hangs_up = signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
        request = {"command": command, "cwd": str(cwd), "env": env, "output": output.name}
        return Forked(self, self.ask(**request, hangs_up=hangs_up), output)

    def ask(self, **request: object) -> Any:
        """What the server answers."""
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def close(self) -> None:
        """Ends the server."""
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()


class Forked:
    """A process of a server's: what tests use of subprocess.Popen, by the same names."""

    def __init__(self, server: Warm, pid: int, output: Any) -> None:
        self.server, self.pid, self.output = server, pid, output
        self.returncode: int | None = None

    def poll(self, options: int = os.WNOHANG) -> int | None:
        if self.returncode is None:
            self.returncode = self.server.ask(wait=self.pid, options=options)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        if timeout is None:
            return self.poll(options=0)
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.02)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        self.wait(timeout)
        with self.output:
            return self.output.read(), None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def warm() -> Warm:
    """That of this process, which ends with it."""
    server = Warm()
    atexit.register(server.close)
    return server


def serve() -> None:
    """Forks for each request of a line, and answers with its id; or with a fork's exit code."""
    os.environ["MPLBACKEND"] = "agg"
    for name in PRELOADED:
        importlib.import_module(name)
    fork_stages()
    assert not [name for name in sys.modules if name.startswith("optbench")]
    gc.freeze()  # what is never collected is never copied
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            ended, status = os.waitpid(request["wait"], request["options"])
            answer = os.waitstatus_to_exitcode(status) if ended else None
        elif not (answer := os.fork()):
            hangs_up = request.pop("hangs_up")
            signal.signal(signal.SIGHUP, signal.SIG_DFL if hangs_up else signal.SIG_IGN)
            os._exit(run(**request))
        print(json.dumps(answer), flush=True)


def fork_stages() -> None:
    """Has DVC fork for a stage's command that is a script of Python, and start any other."""
    from dvc.stage import run as stage_run
    from dvc.stage.exceptions import StageCmdFailedError

    start = stage_run._run

    def run_stage(executable: str, command: str, **process: Any) -> None:
        variables, script = script_of(shlex.split(command.removeprefix("exec ")))
        if not script or "optbench" in sys.modules:  # which is to be imported anew
            start(executable, command, **process)
            return
        environment = process["env"] | variables
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            logging.root.handlers.clear()  # DVC's
            os._exit(run(command=script, cwd=process["cwd"], env=environment))
        if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            raise StageCmdFailedError(command, code)

    stage_run._run = run_stage


def script_of(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The variables and the rest of `env NAME=VALUE... python SCRIPT...`; nothing of another."""
    variables = [*takewhile(lambda word: "=" in word, words[1:])]
    program, *script = words[1 + len(variables) :] or [""]
    if words[0] != "env" or program != "python" or script[0].startswith("-"):
        return {}, []
    return dict(word.split("=", 1) for word in variables), script


def run(*, command: list[str], cwd: str, env: dict[str, str], output: str | None = None) -> int:
    """Runs a script in this process, as Python itself would; `output`: a file, if not as it is."""
    if output is not None:
        file = os.open(output, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    script = Path(command[0])
    paths = map(os.path.abspath, filter(None, env.get("PYTHONPATH", "").split(os.pathsep)))
    sys.path[:1] = [str(script.absolute().parent), *paths]
    sys.argv = command
    code: object = 0
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


if __name__ == "__main__":
    serve()
