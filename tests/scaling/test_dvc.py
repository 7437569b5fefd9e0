"""What `scaling.pipeline` takes of DVC's inside, which DVC may change without a word.

Where one of these fails, DVC has moved. Then read dvc/stage/run.py and dvc/repo/reproduce.py beside
src/optbench/scaling/pipeline.py, mend that file until all tests of this folder pass, and pin DVC's
new minor version in pyproject.toml.
"""

import inspect
import io
import logging
import subprocess
import tomllib
from pathlib import Path

import dvc
import pytest
from dvc.dvcfile import ProjectFile
from dvc.logger import set_loggers_level
from dvc.progress import Tqdm
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import PipelineStage
from dvc.stage import run as stage_run
from tests.conftest import ROOT
from tests.scaling.trivial import CELL, TrivialPipeline

from optbench.scaling import pipeline
from optbench.scaling.pipeline import Pipeline

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")
WHAT_TO_DO = __doc__
# As pipeline.py calls them.
CALLS = [
    (Repo, (), {"_wait_for_lock": True}),
    (get_active_graph, ("graph",), {}),
    (collect_stages, ("repo", ["dvc.yaml"]), {}),
    (plan_repro, ("graph", "stages"), {}),
    (PipelineStage.status, ("stage",), {}),
    (PipelineStage.reproduce, ("stage",), {}),
    (ProjectFile.dump_stages, ("file", ["stage"]), {"update_pipeline": False}),
    (set_loggers_level, (logging.WARNING,), {}),
    (stage_run._make_cmd, ("/bin/sh", "command"), {}),
]
# What DVC puts between a shell and `-c`, so that it reads no set-up files.
SWITCHES = {"sh": [], "bash": ["--noprofile", "--norc"], "zsh": ["--no-rcs"],
            "fish": ["--no-config"]}  # fmt: skip
SHELL = """#!/bin/sh
test "$1" = --version && { echo 'fish, version 3.7.0'; exit; }
printf '%s\\n' "$@" > arguments
while test "$1" != -c; do shift; done
exec /bin/sh "$@"
"""


@pytest.fixture
def trivial(tmp_path: Path, monkeypatch) -> TrivialPipeline:
    project = TrivialPipeline(tmp_path / "pipeline", cells=2)
    monkeypatch.chdir(project.folder)
    return project


def test_the_version_is_the_one_that_is_pinned():
    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert "dvc>=3.67,<3.68" in pinned
    assert dvc.__version__.startswith("3.67."), WHAT_TO_DO


@pytest.mark.parametrize(
    ("function", "args", "kwargs"), CALLS, ids=[function.__qualname__ for function, *_ in CALLS]
)
def test_functions_take_what_they_are_given(function, args, kwargs):
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        pytest.fail(f"{function.__qualname__}: {error}. {WHAT_TO_DO}")


def test_control_a_function_that_takes_something_else():
    with pytest.raises(TypeError):
        inspect.signature(stage_run._make_cmd).bind("command")


def test_the_function_that_is_replaced_is_the_one_that_dvc_calls(trivial, monkeypatch):
    """With a shell, a command, and what a process needs."""
    assert str(inspect.signature(stage_run._run)) == "(executable, cmd, **kwargs)", WHAT_TO_DO
    calls = []
    monkeypatch.setattr(stage_run, "_run", lambda *args, **kwargs: calls.append((args, kwargs)))
    monkeypatch.setenv("SHELL", "/bin/sh")
    stage_run.cmd_run(Pipeline(["train@1"]).stages["train@1"])
    (((executable, command), process),) = calls
    assert (executable, command) == ("/bin/sh", CELL.replace("${item.cell}", "1")), WHAT_TO_DO
    assert process["cwd"] == str(trivial.folder), WHAT_TO_DO
    assert process["env"]["DVC_STAGE"] == "train@1", WHAT_TO_DO


def test_dvc_holds_no_lock_while_a_command_runs(trivial):
    """Else only one could."""
    seen = []

    def send(stage: str, command: tuple[str, ...], folder: str, environment: object) -> int:
        seen.append((stage, opened.repo.lock.is_locked))
        return subprocess.run(command, cwd=folder, check=False).returncode

    opened = Pipeline(["train@0"])
    with opened.opened(send):
        opened.reproduce("train@0")
    assert seen == [("train@0", False)], WHAT_TO_DO
    with opened.repo.lock:
        assert opened.repo.lock.is_locked  # control


@pytest.mark.parametrize("name", SWITCHES)
def test_a_command_is_sent_as_dvc_itself_would_start_it(trivial, tmp_path, monkeypatch, name):
    """By a shell that notes its arguments."""
    shell = tmp_path / "shells" / name
    shell.parent.mkdir()
    shell.write_text(SHELL)
    shell.chmod(0o755)
    monkeypatch.setenv("SHELL", str(shell))
    noted = trivial.folder / "arguments"
    sent = []

    def send(stage: str, command: tuple[str, ...], folder: str, environment: object) -> int:
        sent.append(command)
        return subprocess.run(command, cwd=folder, check=False).returncode

    opened = Pipeline(["train@0", "train@1"])
    with opened.repo.lock:
        opened.stages["train@0"].reproduce()
    by_dvc = noted.read_text()
    with opened.opened(send):
        opened.reproduce("train@1")
    assert trivial.results() == {"0": "0\n", "1": "1\n"}
    assert noted.read_text() == by_dvc.replace("0", "1"), WHAT_TO_DO
    command = CELL.replace("${item.cell}", "1")
    assert sent == [(str(shell), *SWITCHES[name], "-c", command)], WHAT_TO_DO


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_bar_of_dvc_is_drawn_over_the_table():
    bars = logging.getLogger("dvc.progress")
    assert pipeline
    assert Tqdm(total=3, file=Terminal()).disable
    level = bars.level
    bars.setLevel(logging.NOTSET)
    try:
        assert not Tqdm(total=3, file=Terminal()).disable  # control
    finally:
        bars.setLevel(level)
