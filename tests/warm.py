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
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

# What stages import, and what `dvc repro` and `dvc exp run` do.
PRELOADED = (
    "torch._dynamo", "torch._inductor.config", "torch.distributed", "scipy.stats",
    "scipy.optimize", "sklearn.datasets", "matplotlib.pyplot", "rich.progress",
    "dvc.cli", "dvc.cli.parser", "dvc.repo", "dvc.repo.reproduce", "dvc.repo.experiments.run",
    "dvc.repo.experiments.executor.local", "dvc.stage.cache", "dvc.stage.run", "dvc.output",
    "dvc_data.index", "dvc_data.hashfile.build", "scmrepo.git",
)  # fmt: skip


class Warm:
    """Runs scripts, one at a time."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, *command: str, cwd: Path, env: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """As subprocess.run does with `python` before the command; output is in `stdout`."""
        with tempfile.NamedTemporaryFile("r") as output:
            request = {"command": command, "cwd": str(cwd), "env": env, "output": output.name}
            self.server.stdin.write(json.dumps(request) + "\n")
            self.server.stdin.flush()
            code = int(self.server.stdout.readline())
            return subprocess.CompletedProcess(command, code, output.read())

    def close(self) -> None:
        """Ends the server."""
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()


@cache
def warm() -> Warm:
    """That of this process, which ends with it."""
    server = Warm()
    atexit.register(server.close)
    return server


def serve() -> None:
    """Forks for each request of a line, and answers with the exit code."""
    os.environ["MPLBACKEND"] = "agg"
    for name in PRELOADED:
        importlib.import_module(name)
    fork_stages()
    assert not [name for name in sys.modules if name.startswith("optbench")]
    gc.freeze()  # what is never collected is never copied
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            os._exit(run(**request))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def fork_stages() -> None:
    """Has DVC fork for a stage's command that is a script of Python, and start any other."""
    from dvc.stage import run as stage_run
    from dvc.stage.exceptions import StageCmdFailedError

    start = stage_run._run

    def run_stage(executable: str, command: str, **process: Any) -> None:
        words = shlex.split(command)
        variables = [*takewhile(lambda word: "=" in word, words[2:])]
        program, *script = words[2 + len(variables) :] or [""]
        is_script = words[:2] == ["exec", "env"] and program == "python"
        if not is_script or "optbench" in sys.modules:  # which is to be imported anew
            start(executable, command, **process)
            return
        environment = process["env"] | dict(word.split("=", 1) for word in variables)
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            logging.root.handlers.clear()  # DVC's
            os._exit(run(command=script, cwd=process["cwd"], env=environment))
        if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            raise StageCmdFailedError(command, code)

    stage_run._run = run_stage


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
