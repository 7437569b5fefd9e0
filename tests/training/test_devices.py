"""One run on several devices: what one process does, each with its share of the same batches."""

import json
import math
import os
import shutil
import socket
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from pathlib import Path

import pytest
from filelock import FileLock
from safetensors.torch import load_file
from tests.conftest import ROOT
from tests.training.dealt import NETWORKS
from tests.warm import warm

from optbench.params import signatures

SEVERAL = (2, pytest.param(4, marks=pytest.mark.slow))
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
    script = str(ROOT / f"{module.replace('.', '/')}.py")
    processes = [
        warm().start(
            script,
            str(folder),
            env={**shared, "RANK": str(number), "LOCAL_RANK": str(number)},
            cwd=ROOT,
        )
        for number in range(count)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * count, outputs


@cache
def trained(root: Path, count: int) -> Path:
    """What so many processes trained; shared by all test processes."""
    folder = root / f"devices-{count}"
    with FileLock(f"{folder}.lock"):
        done = Path(f"{folder}.done")
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            together("tests.training.dealt", folder, count)
            done.touch()
    return folder


@pytest.fixture
def folders(tmp_path_factory) -> Callable[[int], Path]:
    """The folder of what so many processes trained."""
    root = tmp_path_factory.getbasetemp()
    return partial(trained, root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root)


# Natural gradient says that it cannot; SOAP's factors in a transformer have null spaces, of which
# one process, too, has another basis for each rounding of a gradient.
DEALT = [
    f"{optimizer}-{network}"
    for optimizer, network in product(signatures.names("optimizers"), NETWORKS)
    if optimizer != "ngd" and (optimizer, network) != ("soap", "transformer")
]


def results(folder: Path, key: str) -> object:
    return json.loads((folder / f"{key}.json").read_text())


@pytest.mark.parametrize("count", SEVERAL)
@pytest.mark.parametrize("key", DEALT)
def test_five_steps_are_those_of_one_process_with_the_whole_batch(folders, key, count):
    alone, several = folders(1), folders(count)
    assert results(several, key) == pytest.approx(results(alone, key), abs=TOLERANCE)
    weights = load_file(several / f"{key}.safetensors")
    for name, tensor in load_file(alone / f"{key}.safetensors").items():
        assert (weights[name] - tensor).abs().max() < TOLERANCE


@pytest.mark.parametrize("count", [1, *SEVERAL])
def test_what_is_nan_on_one_device_is_nan_on_all(folders, count):
    of_all = [results(folders(count), f"spoilt-{index}") for index in range(count)]
    for losses in of_all:
        assert [math.isnan(loss) for loss in losses] == [False, False, True, True, True]
        assert losses[:2] == of_all[0][:2]


@pytest.mark.parametrize("count", SEVERAL)
def test_control_an_optimizer_that_looks_at_its_share_alone_is_found_out(folders, count):
    assert isinstance(results(folders(1), "ngd-conv"), list)
    message = results(folders(count), "ngd-conv")
    assert "NaturalGradient has changed the parameters in another way on device 1" in message
    assert "must be averaged by objective.world" in message
