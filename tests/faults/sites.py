"""A folder in which one run of digits-cnn is trained by the stage itself, in its own process."""

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT, digits_run
from tests.warm import Forked, warm

from optbench.core.run import plan_of
from optbench.download.obtain import obtain
from optbench.params.plan import as_json

STAGE = str(ROOT / "stages/train.py")
FAILPOINT = str(ROOT / "tests/faults/failpoint.py")
NAME = "digits-cnn/run"


class Site:
    """Everything that `stages/train.py` reads and writes."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder, self.settings = folder, settings
        obtain("digits", folder / "data/raw/digits")

    def plan(self, optimizer: str) -> None:
        """Writes the plan of the single run."""
        path = self.folder / plan_of("digits-cnn") / "run.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(as_json(digits_run(optimizer, **self.settings).as_dict()))

    def command(self, optimizer: str, failpoint: tuple[str, int] | None = None) -> list[str]:
        self.plan(optimizer)
        arguments = [STAGE, "digits-cnn"]
        if failpoint:
            arguments = [FAILPOINT, *map(str, failpoint), *arguments]
        return [sys.executable, *arguments]

    def start(
        self,
        optimizer: str = "sgd",
        *,
        failpoint: tuple[str, int] | None = None,
        limit: Callable[[], None] | None = None,
        **environment: str,
    ) -> subprocess.Popen[str] | Forked:
        """The stage, with an environment of its own; `limit` is called in the new process.

        It is a fork of what has imported torch, but with a limit, on several devices or a GPU.
        """
        inherited = {key: v for key, v in os.environ.items() if not key.startswith("DVC")}
        env = {**inherited, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **environment}
        python, *script = self.command(optimizer, failpoint)
        has_devices = self.settings.get("devices", 1) > 1 or "device" in self.settings
        if limit is None and not has_devices:
            return warm().start(*script, cwd=self.folder, env=env)
        return subprocess.Popen(
            [python, *script],
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=limit,
        )

    def run(self, optimizer: str = "sgd", **arguments: object) -> tuple[int, str]:
        """Exit code and output, once it has ended."""
        process = self.start(optimizer, **arguments)
        output, _ = process.communicate()
        return process.returncode, output

    def finish(self, optimizer: str = "sgd", **arguments: object) -> dict[str, str]:
        """The digests of a run that must succeed."""
        code, output = self.run(optimizer, **arguments)
        assert code == 0, output
        return self.digests()

    def digests(self) -> dict[str, str]:
        """The sha256 of each file of the outcome, weights included."""
        paths = [*(self.folder / "results" / NAME).iterdir(), *(self.folder / "models").iterdir()]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def checkpoints(self) -> list[Path]:
        """From the earliest step to the latest."""
        return sorted((self.folder / "scratch/checkpoints" / NAME).glob("*/*.checkpoint"))

    def await_checkpoint(self, timeout_s: float = 60) -> None:
        wait_until(lambda: bool(self.checkpoints()), timeout_s)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def without_root_powers() -> None:
    """Called in a new process: lets the permissions of files bind root too."""
    if os.geteuid() == 0:
        drop_capability, dac_override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
        ctypes.CDLL(None).prctl(drop_capability, dac_override)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def is_killed(code: int) -> bool:
    return code == -signal.SIGKILL
