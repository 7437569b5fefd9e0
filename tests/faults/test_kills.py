"""Real processes, really killed: what they leave goes on to the bits of one that was not."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.faults.sites import (
    NAME,
    ROOT,
    Site,
    is_killed,
    is_running,
    wait_until,
    without_root_powers,
)

from optbench.core.run import Budget
from optbench.params import signatures
from optbench.supervision.keeper import VARIABLE

STEPS = 176  # 8 epochs
POINTS = 20
KILLS = 5  # of each optimizer in the soak
EACH_STEP = {VARIABLE: "0"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "killed", budget=Budget(steps=STEPS))


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> dict[str, str]:
    """The digests of a run that nothing happens to."""
    return Site(tmp_path_factory.mktemp("whole") / "site", budget=Budget(steps=STEPS)).finish()


@pytest.mark.parametrize(
    "failpoint",
    [
        ("step", 30),
        pytest.param(("write", 1), marks=pytest.mark.slow),
        pytest.param(("write", 30), marks=pytest.mark.slow),
        pytest.param(("rename", 1), marks=pytest.mark.slow),
        ("rename", 30),
        pytest.param(("renamed", 30), marks=pytest.mark.slow),
        pytest.param(("scoring", 3), marks=pytest.mark.slow),
        ("scoring", POINTS + 1),  # of the last test: all steps are done
        pytest.param(("results", 1), marks=pytest.mark.slow),
        ("results", 4),
        pytest.param(("results", 6), marks=pytest.mark.slow),  # all files, and checkpoints still
    ],
    ids=lambda point: f"{point[0]}-{point[1]}",
)
def test_killed_at_a_named_point(site, whole, failpoint):
    code, output = site.run(failpoint=failpoint, **EACH_STEP)
    assert is_killed(code), output
    code, output = site.run()
    assert code == 0, output
    assert site.digests() == whole
    assert ("goes on after step" in output) == (failpoint not in [("write", 1), ("rename", 1)])
    assert not (site.folder / "scratch/checkpoints" / NAME).exists()


def test_control_a_failpoint_that_is_never_reached_kills_nothing(site, whole):
    assert site.finish(failpoint=("step", 10_000)) == whole


def test_control_another_run_has_other_digests(tmp_path, whole):
    other = Site(tmp_path / "shorter", budget=Budget(steps=STEPS - 22)).finish()
    same = {name for name in whole if other[name] == whole[name]}
    assert same == {"diagnostics.csv"}  # SGD has none


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, 143, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("hears_hang_up")
def test_a_signal_ends_the_stage_at_the_next_step_and_it_goes_on(site, whole, number, expected):
    process = site.start(**EACH_STEP)
    site.await_checkpoint()
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == expected, output
    assert f"{number.name}: stopped after step" in output
    assert "run the same command to go on" in output
    assert "Traceback" not in output
    assert site.finish() == whole


def test_a_second_trainer_of_the_same_run_leaves_and_names_the_first(site, whole):
    first = site.start(**EACH_STEP)
    site.await_checkpoint()
    first.send_signal(signal.SIGSTOP)
    code, output = site.run()
    first.send_signal(signal.SIGCONT)
    assert code == 75, output
    assert f"{NAME} is in work by process {first.pid}" in output
    assert "Traceback" not in output
    assert first.wait() == 0
    assert site.digests() == whole


def test_a_lock_ends_with_its_process(site, whole):
    first = site.start(**EACH_STEP)
    site.await_checkpoint()
    first.kill()
    first.wait()
    assert site.finish() == whole


def test_a_run_whose_starter_is_killed_keeps_its_step_and_ends(site, whole):
    """As DVC starts it: an intermediate process that dies with SIGKILL."""
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({site.command('sgd')!r})\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "DVC_STAGE": "run", **EACH_STEP}
    starter = subprocess.Popen(
        [sys.executable, "-c", script], cwd=site.folder, env=environment, stdout=subprocess.PIPE
    )
    trainer = int(starter.stdout.readline())
    site.await_checkpoint()
    starter.kill()
    wait_until(lambda: not is_running(trainer), 10)
    assert site.checkpoints()
    assert not (site.folder / "results" / NAME / "metrics.json").exists()
    assert site.finish() == whole


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(site, whole):
    process = site.start(**EACH_STEP)
    site.await_checkpoint()
    process.send_signal(signal.SIGTERM)
    process.wait()
    before = site.checkpoints()
    contents = [path.read_bytes() for path in before]
    size = len(contents[-1]) // 2
    code, output = site.run(
        limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)), **EACH_STEP
    )
    assert code == 1
    assert "Traceback" not in output
    assert ".checkpoint cannot be written: File too large" in output
    assert [path.read_bytes() for path in site.checkpoints()] == contents
    assert not list(site.folder.rglob("*.partial"))
    assert site.finish() == whole


@pytest.mark.parametrize("place", ["results", "scratch"])
def test_a_folder_that_cannot_be_written_is_told_before_training(site, place):
    (site.folder / place).mkdir(mode=0o555)
    code, output = site.run(limit=without_root_powers)
    assert code == 1
    assert f"{place}/" in output
    assert "cannot be written: Permission denied" in output
    assert "Traceback" not in output
    assert "train loss" not in output


def test_the_same_run_beside_another_training_gives_the_same_bits(site, tmp_path, whole):
    other = Site(tmp_path / "other", budget=Budget(epochs=40))
    beside = other.start("kfac")
    assert site.finish() == whole
    beside.kill()
    beside.wait()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", signatures.names("optimizers"))
def test_soak_killed_at_random_instants(tmp_path, optimizer):
    """At least 5 kills of each optimizer, from the first import to the last file."""
    whole = Site(tmp_path / "whole", budget=Budget(epochs=30))
    start = time.monotonic()
    expected = whole.finish(optimizer)
    duration = time.monotonic() - start
    chance = random.Random(f"soak {optimizer}")
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        site = Site(tmp_path / f"killed-{rounds}", budget=Budget(epochs=30))
        while True:
            process = site.start(optimizer, **{VARIABLE: "0.2"})
            try:
                process.communicate(timeout=chance.uniform(0.3, 1.1) * duration)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                continue
            assert process.returncode == 0
            break
        assert site.digests() == expected
        shutil.rmtree(site.folder)
    print(f"soak {optimizer}: {kills} kills, {rounds} runs finished, 0 mismatches")
