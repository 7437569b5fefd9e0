"""A run whose images are read by other processes: signals that its whole group gets, and kills."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.datasets.test_manifest_making import children
from tests.faults.sites import Site, is_running, wait_until
from tests.faults.test_devices import trainers

from optbench.core.run import Budget
from optbench.supervision.keeper import VARIABLE

pytestmark = pytest.mark.slow
EACH_STEP = {VARIABLE: "0"}
READERS = 2
DATASET = "imagenet_tiny"


def site_in(folder: Path, devices: int = 1) -> Site:
    site = Site(
        folder, dataset=DATASET, task="image_stream", budget=Budget(steps=100), batch_size=16,
        task_args={"side": 16, "flip": False, "workers": READERS}, devices=devices,
    )  # fmt: skip
    subprocess.run(
        [sys.executable, ROOT / "stages/download.py", DATASET], cwd=folder, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    return site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_in(tmp_path / "asked")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, str]:
    """The digests of a run that nothing happens to."""
    return site_in(tmp_path_factory.mktemp("whole") / "site").finish()


def started(site: Site) -> tuple[subprocess.Popen, list[int]]:
    """A run in a group of its own that has kept a step, and the processes that read for it."""
    process = site.start(limit=os.setpgrp, **EACH_STEP)
    site.await_checkpoint()
    of = list(trainers(process).values()) or [process.pid]
    readers = [pid for trainer in of for pid in children(trainer)]
    assert len(readers) == READERS * site.settings["devices"]
    # The first step needs one of them, while others may still be importing.
    wait_until(lambda: all(os.getpgid(pid) == pid for pid in readers), 20)
    return process, readers


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (signal.SIGTERM, 143),
        (signal.SIGINT, 130),  # a terminal's Ctrl-C
        (signal.SIGHUP, 129),
        (signal.SIGUSR1, 143),
    ],
)
@pytest.mark.usefixtures("hears_hang_up")
def test_a_signal_to_the_whole_group_keeps_the_step_and_it_goes_on(site, whole, number, expected):
    process, readers = started(site)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == expected, output
    assert f"{number.name}: stopped after step" in output
    assert "Traceback" not in output
    assert not any(map(is_running, readers))
    assert site.finish() == whole


def test_of_several_devices_too_whose_launcher_passes_it_on_to_groups(tmp_path):
    expected = site_in(tmp_path / "whole", devices=2).finish()
    site = site_in(tmp_path / "asked", devices=2)
    process, readers = started(site)
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 143, output
    assert output.count("stopped after step") == 1
    assert "Traceback" not in output
    wait_until(lambda: not any(map(is_running, readers)), 5)
    assert site.finish() == expected


@pytest.mark.parametrize("kill", [os.kill, os.killpg])
def test_no_reader_outlives_a_kill_and_it_goes_on(site, whole, kill):
    process, readers = started(site)
    kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(map(is_running, readers)), 5)
    process.stdout.close()
    assert site.finish() == whole
