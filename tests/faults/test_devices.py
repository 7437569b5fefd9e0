"""One run on two devices, by the stage itself: what is killed goes on, and nothing is left over."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from tests.faults.sites import NAME, Site, is_running, wait_until
from tests.training.test_devices import free_port

from optbench.core.run import Budget
from optbench.supervision.keeper import VARIABLE

DEVICES = 2
VIT = {"patch": 2, "layers": 1, "width": 16, "heads": 2}  # has no BatchNorm
STEPS = 176
EACH_STEP = {VARIABLE: "0"}
PATIENCE_S = 30  # in which the others end when one has died


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "killed", devices=DEVICES, budget=Budget(steps=STEPS))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Site:
    """A run that nothing happens to."""
    folder = tmp_path_factory.mktemp("devices") / "whole"
    site = Site(folder, devices=DEVICES, budget=Budget(steps=STEPS))
    site.finish()
    return site


def descendants(process: subprocess.Popen) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found = [process.pid]
    for pid in found:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        found.extend(map(int, children.read_text().split() if children.exists() else ()))
    return found[1:]


def trainers(process: subprocess.Popen) -> dict[int, int]:
    """The process of each device, by its number."""
    numbers = {}
    for pid in descendants(process):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        for variable in environment:
            if variable.startswith(b"RANK="):
                numbers.setdefault(int(variable[5:]), pid)  # what it has started comes later
    return numbers


def started(site: Site, optimizer: str = "sgd") -> tuple[subprocess.Popen, dict[int, int]]:
    """A run that has kept a step since it was started, and the process of each device."""
    before = site.checkpoints()
    process = site.start(optimizer, **EACH_STEP)
    wait_until(lambda: site.checkpoints()[-1:] != before[-1:], 60)
    pids = trainers(process)
    assert sorted(pids) == list(range(DEVICES))
    return process, pids


def test_it_is_the_run_of_one_device_and_leaves_nothing_behind(tmp_path):
    """But for the order of sums, where a network has no BatchNorm, which sees a device's share."""
    few = {"budget": Budget(steps=3), "network": "vit", "network_args": VIT}
    alone, shared = (Site(tmp_path / str(n), devices=n, **few) for n in (1, DEVICES))
    alone.finish()
    code, output = shared.run()
    assert code == 0, output
    assert "Warning" not in output
    weights = [load_file(site.folder / "models/digits-cnn.safetensors") for site in (alone, shared)]
    differences = [abs(weights[0][name] - weights[1][name]).max() for name in weights[0]]
    assert 0 < max(differences) < 1e-5  # sums are taken in another order
    predictions = [
        json.loads((site.folder / "results" / NAME / "predictions.json").read_text())
        for site in (alone, shared)
    ]
    assert predictions[0] == predictions[1]


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_others_and_the_run_goes_on(site, whole):
    process, pids = started(site)
    os.kill(pids[1], signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, output
    assert "device 1 of 2 was killed by SIGKILL" in output
    assert "Traceback" not in output
    assert not any(map(is_running, pids.values()))
    code, output = site.run()
    assert code == 0, output
    assert "goes on after step" in output
    assert site.digests() == whole.digests()


@pytest.mark.slow
@pytest.mark.parametrize("victims", ["first", "all", "launcher", "everything"])
def test_whoever_is_killed_it_goes_on_to_the_same_bits(site, whole, victims):
    for _ in range(3):
        process, pids = started(site)
        launcher = [process.pid]
        killed = {
            "first": [pids[0]], "all": list(pids.values()), "launcher": launcher,
            "everything": launcher + list(pids.values()),
        }[victims]  # fmt: skip
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + PATIENCE_S
        process.wait(timeout=PATIENCE_S)
        wait_until(
            lambda pids=pids: not any(map(is_running, pids.values())), end - time.monotonic()
        )
        process.stdout.close()
        assert process.returncode != 0
        assert not (site.folder / "results" / NAME / "metrics.json").exists()
    assert site.finish() == whole.digests()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize("target", ["launcher", "first", "second"])
def test_a_signal_ends_all_at_one_step_and_it_goes_on(site, whole, number, target):
    process, pids = started(site)
    pid = {"launcher": process.pid, "first": pids[0], "second": pids[1]}[target]
    os.kill(pid, number)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == (130 if number == signal.SIGINT else 143), output
    assert output.count("stopped after step") == 1
    assert "Traceback" not in output
    assert not any(map(is_running, pids.values()))
    assert site.finish() == whole.digests()


@pytest.mark.slow
def test_two_machines_meet_and_train_the_run_of_one_with_as_many_devices(tmp_path):
    """Both of them this one: each has the command started, with torchrun's variables."""
    few = {"budget": Budget(steps=22), "devices": DEVICES}
    expected = Site(tmp_path / "one", **few).finish()
    site = Site(tmp_path / "two", **few)
    meeting = {
        "PET_NNODES": "2", "PET_RDZV_ID": "here",
        "PET_RDZV_ENDPOINT": f"localhost:{free_port()}",
    }  # fmt: skip
    machines = [site.start(**meeting) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in machines]
    assert [process.returncode for process in machines] == [0, 0], outputs
    two = site.digests()
    # Machines are in the fingerprint, since sums may be ordered by them; here they are not.
    for name in ("metrics.json", "SHA256SUMS"):
        assert two.pop(name) != expected.pop(name)
    assert two == expected


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "kfac", "schedule_free", "soap"])
def test_state_of_each_kind_goes_on_to_the_same_bits(tmp_path, optimizer):
    settings = {"devices": DEVICES, "budget": Budget(steps=88)}
    expected = Site(tmp_path / "whole", **settings).finish(optimizer)
    site = Site(tmp_path / "killed", **settings)
    for _ in range(2):
        process, pids = started(site, optimizer)
        process.kill()
        wait_until(lambda pids=pids: not any(map(is_running, pids.values())), PATIENCE_S)
        process.communicate(timeout=PATIENCE_S)
    assert site.finish(optimizer) == expected


@pytest.mark.slow
def test_control_another_number_of_devices_does_not_go_on_from_a_checkpoint(site, tmp_path):
    process = site.start(**EACH_STEP)
    site.await_checkpoint()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    site.settings["devices"] = 1
    code, output = site.run()
    assert code == 0
    assert "goes on" not in output


@pytest.mark.slow
def test_what_all_devices_say_is_said_once(site):
    site.settings["device"] = "mps"
    code, output = site.run()
    assert code == 1, output
    assert output.count("device 'mps' is not present here") == 1
    assert "Traceback" not in output
