"""Real trainings in parallel: the bits of a serial run, also after an interruption."""

import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from tests.conftest import ENVIRONMENT, Project
from tests.faults.sites import wait_until
from tests.scaling.trivial import optbench, start

from optbench.training.keeper import VARIABLE

SUITE = "suites/digits-cnn/dvc.yaml"
PRODUCED = ("results", "reports", "models", "dvc.lock", "data/dvc.lock", "suites")


def tree(project: Project) -> dict[str, bytes]:
    """All that a run leaves behind, locks included."""
    paths = [path for name in PRODUCED for path in [project.folder / name]]
    files = [path for top in paths for path in ([top] if top.is_file() else top.rglob("*"))]
    return {
        str(file.relative_to(project.folder)): file.read_bytes()
        for file in files
        if file.is_file() and file.suffix != ".yaml"
    }


@pytest.fixture
def untrained(project: Project, monkeypatch) -> Project:
    """The small pipeline with its costs alone: what measures time gives no equal bits.

    DVC's order of stages, and so of entries in dvc.lock, depends on Python's seed of hashes.
    """
    monkeypatch.setitem(ENVIRONMENT, "PYTHONHASHSEED", "0")
    project.set("workloads.digits-cnn.epochs", 3)
    project.run("dvc", "commit", "--force", f"{SUITE}:cost@sgd", f"{SUITE}:cost@adam")
    for name in ("results", "reports", "models"):
        shutil.rmtree(project.folder / name)
    for lock in project.folder.rglob("dvc.lock"):
        lock.unlink()
    shutil.rmtree(project.folder / ".dvc/cache/runs")
    project.run("dvc", "commit", "--force", f"{SUITE}:cost@sgd", f"{SUITE}:cost@adam")
    return project


@pytest.fixture
def serial(untrained: Project, tmp_path: Path) -> dict[str, bytes]:
    """What a serial `dvc repro` makes of a copy."""
    shutil.copytree(untrained.folder, tmp_path / "serial", symlinks=True)
    copy = Project(tmp_path / "serial")
    assert not [stage for stage in copy.repro() if stage.startswith("cost")]
    return tree(copy)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jobs", "engine"),
    [(1, "local"), (2, "local"), (4, "local"), (2, "dask")],
)
def test_locks_results_and_reports_are_those_of_a_serial_run(untrained, serial, jobs, engine):
    command = optbench("--jobs", str(jobs), "--engine", engine, "--oversubscribe")
    output = untrained.run(*command).stdout
    assert "failed" not in output
    assert tree(untrained) == serial
    assert "unchanged" in untrained.run(*optbench()).stdout
    assert untrained.repro() == []


def test_interrupted_trainings_keep_their_step_and_go_on_to_the_same_bits(untrained, serial):
    process = start(untrained, "--jobs", "2", **{VARIABLE: "0"})
    checkpoints = untrained.folder / "scratch/checkpoints/digits-cnn/suite"
    wait_until(lambda: len(list(checkpoints.glob("*/*/*.checkpoint"))) >= 2, 120)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT, output
    assert time.monotonic() - begin < 10
    assert list(checkpoints.glob("*/*/*.checkpoint"))
    untrained.run(*optbench("--jobs", "2"))
    logs = (untrained.folder / "logs/stages/suites/digits-cnn").glob("train@*.log")
    assert [log for log in logs if re.search("goes on after step", log.read_text())]
    assert tree(untrained) == serial
