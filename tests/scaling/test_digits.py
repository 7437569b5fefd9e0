"""Real trainings in parallel: the bits of a serial run, also after an interruption."""

import json
import signal
import time
from pathlib import Path

import pytest
from tests.conftest import ENVIRONMENT, Project
from tests.faults.sites import wait_until
from tests.scaling.digits import ROOM, STUDIES, WORKLOAD, copy_of, kept, log_of, tree, untrain
from tests.scaling.trivial import optbench, start

from optbench.supervision.keeper import VARIABLE

COSTS = tuple(f"{ROOM}:cost@{optimizer}" for optimizer in ("sgd", "adam", "radam"))


@pytest.fixture
def untrained(project: Project, monkeypatch) -> Project:
    """The small pipeline with its costs alone: what measures time gives no equal bits.

    DVC's order of stages, and so of entries in dvc.lock, depends on Python's seed of hashes.
    """
    monkeypatch.setitem(ENVIRONMENT, "PYTHONHASHSEED", "0")
    project.set("settings.budget", {"epochs": 3}, WORKLOAD)
    untrain(project)
    project.run("dvc", "repro", f"{ROOM}:validate")
    project.run("dvc", "commit", "--force", *COSTS)
    project.commit("untrained")  # else its locks would lack what Git has
    return project


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jobs", "engine"),
    [(1, "local"), (2, "local"), (4, "local"), (2, "dask")],
)
def test_locks_results_and_reports_are_those_of_a_serial_run(untrained, tmp_path, jobs, engine):
    serial = copy_of(untrained.folder, tmp_path / "serial")
    assert not [stage for stage in serial.repro() if "cost" in stage]
    command = optbench("--jobs", str(jobs), "--engine", engine, "--oversubscribe")
    output = untrained.run(*command).stdout
    assert "failed" not in output
    assert tree(untrained) == tree(serial)
    made = {f"reports/{WORKLOAD}/report.html", f"models/{WORKLOAD}.safetensors"}
    assert made <= set(tree(serial))
    assert "nothing had changed" in untrained.run(*optbench()).stdout
    assert untrained.repro() == []


@pytest.mark.slow
def test_interrupted_trainings_keep_their_step_and_go_on_to_the_same_bits(longer):
    process = start(longer, "--jobs", "2", *STUDIES, **{VARIABLE: "0"})
    checkpoints = kept("*")
    wait_until(lambda: len(list(longer.folder.glob(checkpoints))) >= 2, 120)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT, output
    assert time.monotonic() - begin < 10
    assert list(longer.folder.glob(checkpoints))
    longer.run(*optbench("--jobs", "2", *STUDIES))
    resumed = [study for study in STUDIES if "goes on after step" in log_of(longer, study)]
    assert resumed
    for study in resumed:
        assert first_point(longer, study)["since_step"] > 0
    assert tree(longer) == longer.expected


def first_point(project: Project, stage: str) -> dict:
    """The first that a stage's trainer told of its progress since it was started."""
    log: Path = project.folder / f"logs/stages/{stage.replace('dvc.yaml:', '')}.jsonl"
    return json.loads(log.read_text().splitlines()[0])
