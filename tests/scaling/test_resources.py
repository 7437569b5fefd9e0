from pathlib import Path

import pytest

from optbench.core.errors import UsageError
from optbench.core.run import read_params
from optbench.scaling.resources import Machine, Need, need_of, this_machine

TWO_GPUS = Machine(cores=16, gpus=("0", "1"))


def test_jobs_times_threads_beyond_the_cores_are_refused_with_the_way_out():
    machine = Machine(cores=4)
    machine.require_room(jobs=2, need=Need(threads=2))
    with pytest.raises(UsageError, match=r"need 6 cores.* here are 4: take --jobs 2, or --over"):
        machine.require_room(jobs=3, need=Need(threads=2))


def test_one_gpu_a_job():
    assert [TWO_GPUS.gpu(place) for place in range(3)] == ["0", "1", "0"]
    assert Machine(cores=1).gpu(0) is None
    TWO_GPUS.require_room(jobs=2, need=Need(gpu=True))
    with pytest.raises(UsageError, match="each needs a GPU, and here are 2"):
        TWO_GPUS.require_room(jobs=3, need=Need(gpu=True))
    TWO_GPUS.require_room(jobs=3, need=Need())


def test_the_most_demanding_workload_counts():
    params = read_params()
    small, large = Path("suites/digits-cnn"), Path("suites/cifar10-resnet9")
    assert need_of([small, Path("data"), Path()], params) == Need(threads=1, gpu=True)
    assert need_of([small, large], params).threads == 2
    params["workloads"]["digits-cnn"]["device"] = "cpu"
    assert not need_of([small], params).gpu


def test_a_search_has_threads_of_its_own():
    params = read_params()
    params["search"]["cifar10-resnet9"]["threads"] = 3
    assert need_of([Path("searches/cifar10-resnet9")], params).threads == 3
    assert need_of([Path("suites/cifar10-resnet9")], params).threads == 2


@pytest.mark.parametrize(
    "params", [{}, {"workloads": {"a": None}}, {"workloads": {"a": {"threads": "x"}}}]
)
def test_params_that_are_not_valid_are_left_to_the_pipeline(params):
    assert need_of([Path("suites/a")], params) == Need()


@pytest.mark.parametrize(
    ("chosen", "gpus"), [("", ()), ("3", ("3",)), ("0,GPU-8a", ("0", "GPU-8a"))]
)
def test_cuda_visible_devices_says_which_gpus_there_are(monkeypatch, chosen, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert this_machine().gpus == gpus


def test_else_all_that_the_driver_lists(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A'\necho 'GPU 1: B'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert this_machine().gpus == ("0", "1")
