"""Folders, repositories and variables that people have: it works in all of them at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import copy
from tests.conftest import ENVIRONMENT, digits_room

ODD = {"PYTHONOPTIMIZE": "2", "LC_ALL": "C", "COLUMNS": "1", "TERM": "dumb"}
NAME = 'a b\'s "c" $HOME ä 网络'


@pytest.mark.slow
def test_a_worktree_of_a_shallow_clone_under_an_odd_path_plans_its_runs(tmp_path: Path):
    project = copy(tmp_path / "origin")
    params = project.folder / "params.yaml"
    params.write_bytes(b"\xef\xbb\xbf" + params.read_bytes().replace(b"\n", b"\r\n"))
    project.run("git", "init", "-q")
    project.commit("start")
    project.edit("README.md", "\n")
    project.commit("more")  # so that a shallow clone lacks something
    shallow, odd = tmp_path / "shallow", tmp_path / NAME
    git = ["git", "clone", "-q", "--depth", "1", f"file://{project.folder}", str(shallow)]
    subprocess.run(git, check=True, env=ENVIRONMENT)
    tree = ["git", "worktree", "add", "-q", "--detach", str(odd)]
    subprocess.run(tree, cwd=shallow, check=True, env=ENVIRONMENT)
    planned = subprocess.run(
        [sys.executable, str(odd / "src/optbench/cli/launch.py"), "plan"], cwd=odd / "workloads",
        env=ENVIRONMENT | ODD, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert planned.returncode == 0, planned.stdout + planned.stderr
    room, _ = digits_room()
    arms, suite = len(room.suite.every_arm), room.suite
    count = arms * len(suite.numbers) + len(suite.fresh)
    trained = f"the single run, {count} studies and {len(room.sweeps)} sweeps will train"
    assert f"digits-cnn: {trained}" in planned.stdout
    assert len(list((odd / "workloads/digits-cnn/plan/suite").glob("*.json"))) == arms
    # The control: what is wrong is still found there.
    broken = odd / "params.yaml"
    broken.write_bytes(broken.read_bytes().replace(b"optimizer: sgd", b"optimizer: sdg"))
    refused = subprocess.run(
        [sys.executable, str(odd / "src/optbench/cli/launch.py"), "plan"], cwd=odd,
        env=ENVIRONMENT | ODD, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "did you mean 'sgd'?" in refused.stdout + refused.stderr
