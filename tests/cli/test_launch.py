"""`optbench` runs the code of the project that a person stands in, from any folder of it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import copy
from tests.conftest import ROOT, Project

from optbench.cli.launch import root_of
from optbench.cli.main import COMMANDS
from optbench.cli.new import KINDS

# In place of a command: shows where it runs, and whose code it and its children are.
PROBE = """
import json, os, subprocess, sys
import optbench

def run(arguments, standing):
    child = "import optbench.cli; print(optbench.cli.__path__[0])"
    python = subprocess.run(["python", "-c", child], capture_output=True, text=True, check=True)
    print(json.dumps({
        "folder": os.getcwd(), "standing": str(standing), "code": optbench.__path__[0],
        "child": python.stdout.strip(), "arguments": list(arguments),
    }))
    return 3
"""


def probe(project: Project, folder: Path, *arguments: str, **environment: str) -> dict:
    """What the probe in a project shows where `optbench` is called in a folder."""
    (project.folder / "src/optbench/cli/paper.py").write_text(PROBE)
    settings = [f"{name}={value}" for name, value in environment.items()]
    done = Project(folder).run("env", *settings, "optbench", "paper", *arguments, check=False)
    assert done.returncode == 3, done.stdout
    return json.loads(done.stdout)


def test_it_runs_in_the_root_with_the_projects_code_and_so_do_its_children(bare: Project):
    folder, cli = bare.folder / "workloads/digits-cnn", "src/optbench/cli"
    shown = probe(bare, folder, "--jobs", "4")
    assert shown == {
        "folder": str(bare.folder), "standing": str(folder),
        "code": str((bare.folder / cli).parent), "child": str(bare.folder / cli),
        "arguments": ["--jobs", "4"],
    }  # fmt: skip


def test_another_project_in_pythonpath_does_not_win(bare: Project):
    shown = probe(bare, bare.folder, PYTHONPATH=str(ROOT / "src"))
    assert shown["code"] == str(bare.folder / "src/optbench")
    assert shown["child"] == str(bare.folder / "src/optbench/cli")


def test_in_a_queued_experiments_copy_it_is_the_copys_code_that_runs(bare: Project):
    inner = copy(bare.folder / ".dvc/tmp/exps/tmp1")
    shown = probe(inner, inner.folder / "data")
    assert shown["code"] == str(inner.folder / "src/optbench")
    outside = bare.run("optbench", "paper", "--help").stdout  # the control: nothing leaked
    assert outside.startswith("usage: optbench paper")


def test_outside_of_a_project_it_says_so(tmp_path: Path):
    done = Project(tmp_path).run("optbench", "plan", check=False)
    assert done.returncode == 1
    assert f"{tmp_path} is in no project" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_root_is_the_nearest_folder_with_stages_and_code(tmp_path: Path):
    for folder in ("a/src/optbench", "a/b/src/optbench", "a/c"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("a", "a/c"):  # b has no stages, c has no code
        (tmp_path / folder / "dvc.yaml").touch()
    assert root_of(tmp_path / "a/b/src/optbench") == tmp_path / "a"
    assert root_of(tmp_path / "a/c") == tmp_path / "a"
    assert root_of(tmp_path) is None


def test_make_writes_the_command_also_below_a_folder_with_spaces(tmp_path: Path):
    project = copy(tmp_path / "with spaces")
    venv = project.folder / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "lib").symlink_to(ROOT / ".venv/lib")
    shutil.copy2(ROOT / ".venv/pyvenv.cfg", venv)
    (venv / "bin/python").symlink_to(Path(sys.executable).resolve())
    (venv / "installed").touch()
    project.run("make", "--old-file", ".venv/installed", ".venv/bin/optbench")
    (project.folder / "src/optbench/cli/paper.py").write_text(PROBE)
    done = subprocess.run(
        [venv / "bin/optbench", "paper"], cwd=project.folder / "data", text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": os.defpath},  # so `python` is found by what the command prepends
    )  # fmt: skip
    assert done.returncode == 3, done.stdout
    assert json.loads(done.stdout)["child"] == str(project.folder / "src/optbench/cli")


def test_without_a_command_it_lists_all_that_there_are():
    shown = Project(ROOT).run("optbench").stdout
    assert re.findall(r"^  (\w+)", shown, re.MULTILINE) == list(COMMANDS)
    assert Project(ROOT).run("optbench", "--help").stdout == shown
    kinds = Project(ROOT).run("optbench", "new").stdout
    assert re.findall(r"^  (\w+)", kinds, re.MULTILINE) == list(KINDS)


def test_the_lists_name_each_file_that_is_a_command():
    files = {
        path.stem
        for path in (ROOT / "src/optbench/cli").glob("*.py")
        if "\ndef run(" in path.read_text()
    }
    assert files == {*COMMANDS, *(f"new_{kind}" for kind in KINDS)}


@pytest.mark.parametrize(
    "command", [*(name for name in COMMANDS if name != "new"), *(f"new {kind}" for kind in KINDS)]
)
def test_help_says_what_it_does_and_has_an_example(command):
    shown = Project(ROOT).run("optbench", *command.split(), "--help").stdout
    assert shown.startswith(f"usage: optbench {command} ")
    assert f"\nexample: optbench {command}" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("adivse", "optbench: unknown command 'adivse': did you mean 'advise'?"),
        ("new workloads", "optbench new: unknown command 'workloads': did you mean 'workload'?"),
        ("repro --jobs two", "optbench repro: argument --jobs/-j: invalid int value: 'two'"),
        ("repro --job 2", "optbench repro: unrecognized arguments: --job"),
        ("repro --jobs 0", "--jobs: got 0: must be 1 or more"),
        ("advise digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("advise digits-cnn --epochs 0", "--epochs: got 0: must be above 0"),
        ("advise digits-cnn --memory-mb -1", "--memory-mb: got -1: must be above 0"),
        ("advise digits-cnn --memory-mb inf", "--memory-mb: got inf: must be above 0, and finite"),
        ("best digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
        ("new workload", "the following arguments are required: name, --like"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_and_no_traceback(bare: Project, arguments, message):
    done = bare.run("optbench", *arguments.split(), check=False)
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert "usage:" not in done.stdout
