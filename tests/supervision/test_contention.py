"""A run that waits for cores says so, once; and its threads sleep while they wait for others."""

import os
import subprocess
import sys

import pytest
from tests.conftest import ROOT

from optbench.supervision import contention
from optbench.supervision.contention import Contention, times, waiting_share

# Spins for two seconds on one core, beside as many others as the argument says.
BESIDE = """
import os, subprocess, sys, time
from optbench.supervision import contention

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
spin = [sys.executable, "-c", "while True: pass"]
others = [subprocess.Popen(spin) for _ in range(int(sys.argv[1]))]
contention.EVERY_S = 1.0
watcher = contention.Contention("digits-cnn/run")
end = time.monotonic() + 2
step = 0
while time.monotonic() < end:
    step += 1
    watcher.step(step)
for other in others:
    other.kill()
"""
TRAINER = ["stages/train.py", "--help"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the scheduler's account is Linux'")


def beside(count: int) -> str:
    return subprocess.run(
        [sys.executable, "-c", BESIDE, str(count)], cwd=ROOT, text=True, check=True,
        env={**os.environ, "PYTHONPATH": "src"}, capture_output=True,
    ).stdout  # fmt: skip


@linux
def test_a_run_beside_four_others_on_one_core_says_so_once():
    output = beside(4)
    assert output.count("\n") == 1
    assert output.startswith("digits-cnn/run: this machine is busy: threads of this run wait for")
    assert output.endswith("its results are the same\n")


@pytest.mark.parametrize(
    ("ran", "waited", "told"),
    [(10, 0, ""), (60, 39, ""), (59, 41, "41 % of the time, so it takes")],
)
def test_by_hand(monkeypatch, capsys, ran, waited, told):
    """From (3, 5) to (3 + ran, 5 + waited): the share is waited / (ran + waited)."""
    accounts = iter([(3, 5), (3 + ran, 5 + waited)])
    monkeypatch.setattr(contention, "times", lambda: next(accounts))
    monkeypatch.setattr(contention, "EVERY_S", 0.0)
    watcher = Contention("a")
    watcher.step(1)
    output = capsys.readouterr().out
    assert told in output
    assert bool(output) == bool(told)
    if told:
        assert "1.7 times as long" in output  # 1 / (1 - 0.41)
        watcher.step(2)  # looks no more


def test_where_the_system_keeps_no_account_nothing_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(contention, "TASKS", tmp_path / "none")
    monkeypatch.setattr(contention, "EVERY_S", 0.0)
    assert times() is None
    assert waiting_share(None, (1, 2)) is None
    assert waiting_share((1, 2), (1, 2)) is None
    Contention("a").step(1)
    assert capsys.readouterr().out == ""


@linux
@pytest.mark.parametrize(
    ("arguments", "given", "spins"),
    [
        (TRAINER, {}, "3000"),
        (["-c", "import torch"], {}, "300000"),  # the control: OpenMP's default
        (TRAINER, {"OMP_WAIT_POLICY": "passive"}, "0"),  # what the user says stays
        (TRAINER, {"GOMP_SPINCOUNT": "7"}, "7"),
    ],
)
def test_threads_that_wait_for_others_soon_sleep(arguments, given, spins):
    """A stage imports what says so before torch. This process has it in its environment already."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    }
    told = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, text=True, check=True, capture_output=True,
        env={**environment, "PYTHONPATH": "src", "OMP_DISPLAY_ENV": "verbose"} | given,
    ).stderr  # fmt: skip
    assert f"GOMP_SPINCOUNT = '{spins}'" in told
