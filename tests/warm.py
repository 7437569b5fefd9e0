"""A Python that has imported torch and DVC, and forks for each script: saves seconds a process.

What a script imports of the project is imported anew in each fork.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path

# What every construction of an optimizer imports, and what `dvc repro` and `dvc exp run` do.
PRELOADED = (
    "torch._dynamo", "dvc.cli", "dvc.cli.parser", "dvc.repo", "dvc.repo.reproduce",
    "dvc.repo.experiments.run", "dvc.repo.experiments.executor.local", "dvc.stage.cache",
    "dvc.output", "dvc_data.index", "dvc_data.hashfile.build", "scmrepo.git",
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
    for name in PRELOADED:
        importlib.import_module(name)
    assert not [name for name in sys.modules if name.startswith("optbench")]
    gc.freeze()  # what is never collected is never copied
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            os._exit(run(**request))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def run(*, command: list[str], cwd: str, env: dict[str, str], output: str) -> int:
    """Runs a script in this process, as Python itself would."""
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    script = Path(command[0])
    paths = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
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
