"""One run on several devices: what one process does, each with its share of the same batches."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from filelock import FileLock
from safetensors.torch import load_file
from tests.conftest import ROOT
from tests.training.dealt import NETWORKS

from optbench.params import signatures

COUNTS = (1, 2, 4)
TOLERANCE = 1e-10


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def together(module: str, folder: Path, count: int) -> None:
    """Runs a module in so many processes that know each other."""
    folder.mkdir()
    shared = {
        **os.environ, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}/src{os.pathsep}{ROOT}",
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            env={**shared, "RANK": str(number), "LOCAL_RANK": str(number)},
            cwd=ROOT,
        )
        for number in range(count)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0] * count


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[int, Path]:
    """What was trained by one, two and four processes; shared by all test processes."""
    root = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent
    folders = {count: root / f"devices-{count}" for count in COUNTS}
    with FileLock(str(root / "devices.lock")):
        if not (root / "devices.done").exists():
            for count, folder in folders.items():
                shutil.rmtree(folder, ignore_errors=True)
                together("tests.training.dealt", folder, count)
            (root / "devices.done").touch()
    return folders


# Natural gradient says that it cannot; SOAP's factors in a transformer have null spaces, of which
# one process, too, has another basis for each rounding of a gradient.
DEALT = [
    f"{optimizer}-{network}"
    for optimizer, network in product(signatures.names("optimizers"), NETWORKS)
    if optimizer != "ngd" and (optimizer, network) != ("soap", "transformer")
]


def results(folders: dict[int, Path], key: str) -> dict[int, object]:
    return {count: json.loads((folders[count] / f"{key}.json").read_text()) for count in COUNTS}


@pytest.mark.parametrize("key", DEALT)
def test_five_steps_are_those_of_one_process_with_the_whole_batch(folders, key):
    losses = results(folders, key)
    weights = {count: load_file(folders[count] / f"{key}.safetensors") for count in COUNTS}
    for count in COUNTS[1:]:
        assert losses[count] == pytest.approx(losses[1], abs=TOLERANCE)
        for name, tensor in weights[1].items():
            assert (weights[count][name] - tensor).abs().max() < TOLERANCE


@pytest.mark.parametrize("count", COUNTS)
def test_what_is_nan_on_one_device_is_nan_on_all(folders, count):
    of_all = [
        json.loads((folders[count] / f"spoilt-{index}.json").read_text()) for index in range(count)
    ]
    for losses in of_all:
        assert [math.isnan(loss) for loss in losses] == [False, False, True, True, True]
        assert losses[:2] == of_all[0][:2]


def test_control_an_optimizer_that_looks_at_its_share_alone_is_found_out(folders):
    assert isinstance(results(folders, "ngd-conv")[1], list)
    for count in COUNTS[1:]:
        message = results(folders, "ngd-conv")[count]
        assert "NaturalGradient has changed the parameters in another way on device 1" in message
        assert "must be averaged by objective.world" in message
