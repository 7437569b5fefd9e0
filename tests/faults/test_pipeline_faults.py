"""`dvc repro` itself killed, its files damaged, its folders closed: nothing is lost or believed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import ENVIRONMENT, Project
from tests.faults.sites import FAILPOINT, is_killed, is_running, wait_until, without_root_powers
from tests.warm import warm

from optbench.supervision.keeper import VARIABLE

STUDY = "digits-cnn/suite/sgd-cosine-0/0"
CHECKPOINTS = "studies/digits-cnn/sgd-cosine-{}/*/checkpoints/*/*.checkpoint"
PLAN = "workloads/digits-cnn/dvc.yaml:validate"
TRAIN = ("env", "PYTHONPATH=src", "python", "stages/study.py", "digits-cnn", "sgd-cosine")
STAGE = f"workloads/digits-cnn/dvc.yaml:study@{Path(STUDY).parent.name}"


def start_repro(project: Project, *targets: str) -> subprocess.Popen:
    """`dvc repro` whose trainings write a checkpoint after each step."""
    return subprocess.Popen(
        ["dvc", "repro", *targets], cwd=project.folder, env={**ENVIRONMENT, VARIABLE: "0"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def flip(path: Path, index: int) -> None:
    """Changes one bit, without touching what others link to."""
    content = bytearray(path.read_bytes())
    content[index] ^= 1
    path.unlink()
    path.write_bytes(content)


def study_files(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_dvc_repro_killed_in_a_second_study_leaves_no_trainer_and_goes_on(project: Project):
    project.set("settings.budget", {"epochs": 12}, "digits-cnn")
    project.set("suite.studies", ["0-1"], "digits-cnn")
    project.repro(PLAN)
    folder = project.folder / "results/digits-cnn/suite/sgd-cosine-0-1"
    project.run(*TRAIN, "0-1")
    expected = study_files(folder)
    assert {Path(name).parent.name for name in expected} == {"0", "1"}
    shutil.rmtree(folder)
    scratch = project.folder / "scratch"
    stage = "workloads/digits-cnn/dvc.yaml:study@sgd-cosine-0-1"
    dvc = start_repro(project, stage)
    wait_until(lambda: any(scratch.glob(CHECKPOINTS.format(1))), 60)
    dvc.kill()
    dvc.wait()
    holder = (scratch / "locks/digits-cnn/suite/sgd-cosine-0-1.holder").read_text()
    trainer = int(holder.split()[1])
    wait_until(lambda: not is_running(trainer), 10)
    kept = max(scratch.glob(CHECKPOINTS.format(1)))
    output = project.run("dvc", "repro", stage).stdout
    assert "digits-cnn/sgd-cosine-0: 2 runs of 12 epochs, 2 done before" in output
    assert f"goes on after step {int(kept.stem)} of {12 * 15}" in output
    assert study_files(folder) == expected
    assert not [*(scratch / "studies/digits-cnn").iterdir()]
    assert project.repro(stage) == []


def test_force_trains_again_from_the_start(project: Project):
    """A control: no state is left of a run that has succeeded."""
    output = project.run("dvc", "repro", "--force", "--single-item", STAGE).stdout
    assert "step 15/15" in output
    assert "goes on" not in output
    assert project.run("git", "status", "--porcelain", "results").stdout == ""


def test_killed_while_rendering_the_report_is_whole_afterwards(project: Project):
    for file in (project.folder / "reports/digits-cnn").glob("results.*"):
        file.unlink()
    command = (FAILPOINT, "rendering", "2", "stages/report.py", "digits-cnn")
    environment = {**ENVIRONMENT, "PYTHONPATH": f"src:{Path(FAILPOINT).parents[2]}"}
    killed = warm().run(*command, cwd=project.folder, env=environment)
    assert is_killed(killed.returncode)
    assert project.run("git", "status", "--porcelain", "reports").stdout != ""
    assert set(project.repro()) <= {"report", "score@digits-cnn"}
    assert project.run("git", "status", "--porcelain", "reports").stdout == ""


def test_a_damaged_result_is_named_and_made_again(project: Project):
    path = project.folder / "results" / STUDY / "metrics.json"
    at = path.read_bytes().index(b"test_score") + len(b'test_score": 0.9')
    flip(path, at)
    command = ("env", "PYTHONPATH=src", "python", "stages/evaluate.py", "digits-cnn")
    done = project.run(*command, check=False)
    assert done.returncode == 1
    assert f"no valid result in results/{STUDY}: metrics.json is damaged" in done.stdout
    assert "Traceback" not in done.stdout
    project.repro()
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_damaged_pixels_never_train(project: Project):
    path = project.folder / "data/raw/digits/images.npy"
    before = path.read_bytes()
    flip(path, len(before) // 2)
    done = project.run(*TRAIN, "0", check=False)
    assert done.returncode == 1
    assert "data/raw/digits/images.npy is damaged: sha256 is" in done.stdout
    assert "Traceback" not in done.stdout
    project.repro()
    assert path.read_bytes() == before
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_a_study_whose_trials_diverge_is_a_result_and_the_suite_goes_on(project: Project):
    space = {name: {"lr": [1e27, 3.16e29], "weight_decay": [1e-6, 1e-3]} if name == "adam" else
             {"lr": [1e-3, 0.316], "weight_decay": [1e-6, 1e-3]}
             for name in ("sgd", "adam", "radam")}  # fmt: skip
    project.set("search.space", space, "digits-cnn")
    assert "study@adam-cosine-0" in project.repro()
    metrics = project.json("results/digits-cnn/suite/adam-cosine-0/0/metrics.json")
    assert metrics["diverged_at_step"] >= 1
    assert metrics["test_score"] is None
    assert "diverged" in (project.folder / "reports/digits-cnn/results.md").read_text()


@pytest.mark.slow
def test_a_closed_cache_is_told_and_costs_one_run(project: Project):
    project.set("override.lr", 0.0123)
    closed = [folder for folder in (project.folder / ".dvc/cache").rglob("*") if folder.is_dir()]
    for folder in closed:
        folder.chmod(0o555)
    done = subprocess.run(
        ["dvc", "repro"], cwd=project.folder, env=ENVIRONMENT, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=without_root_powers,
    )  # fmt: skip
    for folder in closed:
        folder.chmod(0o755)
    assert done.returncode != 0
    assert "Permission denied" in done.stdout
    assert set(project.repro()) <= {"validate", "room-validate", "run", "score@digits-cnn"}
    assert project.json("results/digits-cnn/run/metrics.json")["test_score"] > 0


@pytest.mark.slow
def test_two_pipelines_at_once_leave_one_another_alone(project: Project):
    """DVC's own lock or the trainer's: the second ends with a message, the first succeeds."""
    project.set("settings.budget", {"epochs": 60}, "digits-cnn")
    first = start_repro(project)
    scratch = project.folder / "scratch"
    wait_until(lambda: any(scratch.glob(CHECKPOINTS.format(0))), 60)
    alone = project.run(*TRAIN, "0", check=False)
    second = project.run("dvc", "repro", check=False)
    assert second.returncode != 0
    assert alone.returncode == 75
    assert first.wait() == 0
    assert project.repro() == []


def test_control_signals_reach_a_process(project: Project):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert is_running(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not is_running(process.pid)
