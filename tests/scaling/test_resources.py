from pathlib import Path

import pytest
from tests.conftest import ROOT

from optbench.core.errors import UsageError
from optbench.scaling.resources import Machine, Need, need_of, this_machine

TWO_GPUS = Machine(cores=16, gpus=("0", "1"))


def test_jobs_times_threads_beyond_the_cores_are_refused_with_the_way_out():
    machine = Machine(cores=4)
    machine.require_room(jobs=2, need=Need(threads=2))
    message = (
        r"with 2 threads each \(workloads/<name>/params.yaml: settings.threads, or those of "
        r"suite or search\) they need 6 cores, and here are 4: take --jobs 2, or --oversubscribe"
    )
    with pytest.raises(UsageError, match=message):
        machine.require_room(jobs=3, need=Need(threads=2))


def test_one_gpu_a_job():
    assert [TWO_GPUS.gpu(place) for place in range(3)] == ["0", "1", "0"]
    assert Machine(cores=1).gpu(0) is None
    TWO_GPUS.require_room(jobs=2, need=Need(gpu=True))
    with pytest.raises(UsageError, match="each needs a GPU, and here are 2"):
        TWO_GPUS.require_room(jobs=3, need=Need(gpu=True))
    TWO_GPUS.require_room(jobs=3, need=Need())


ROOMS = {
    "small": "settings: {threads: 1, device: auto}\n",
    "large": "settings: {threads: 2, device: cpu}\nsearch: {threads: 3}\n",
    "unsearched": "settings: {threads: 2, device: cpu}\nsearch: null\n",
    "first": "settings: {threads: 2, device: 'cuda:1'}\n",
}
INVALID = (
    "", "- 1\n", "settings: 3\n", "settings: {threads: x}\n", "settings: {threads: 1.5}\n",
    "settings: {\n", "settings: {device: null}\n", "\x00",
)  # fmt: skip


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch) -> Path:
    """Rooms that need this and that; the folder that holds them."""
    monkeypatch.chdir(tmp_path)
    for name, text in ROOMS.items():
        file = Path("workloads", name, "params.yaml")
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return Path("workloads")


def test_the_most_demanding_room_counts(rooms):
    two = {"threads": 2, "threads_alone": 2}
    assert need_of([rooms / "small", Path("data"), Path()]) == Need(threads=1, gpu=True)
    assert need_of([rooms / "large"]) == Need(**two, gpu=False)
    assert need_of([rooms / "small", rooms / "large"]) == Need(**two, gpu=True)
    assert need_of([rooms / "first"]) == Need(**two, gpu=True)
    assert need_of([Path("data"), Path(), rooms]) == Need()


def test_a_search_has_threads_of_its_own(rooms):
    assert need_of([rooms / "large/search"]).threads == 3
    assert need_of([rooms / "large"]).threads == 2
    assert need_of([rooms / "unsearched/search"]).threads == 2


def test_cells_have_threads_of_their_own_and_the_single_run_the_settings(rooms):
    file = rooms / "large/params.yaml"
    file.write_text(f"{file.read_text()}suite: {{threads: 1}}\n")
    assert need_of([rooms / "large"]) == Need(threads=1, threads_alone=2)
    assert need_of([rooms / "large/search"]).threads == 3


def test_this_project_s_rooms_are_understood(monkeypatch):
    monkeypatch.chdir(ROOT)
    need = need_of([Path("workloads/cifar10-resnet9")])
    assert need == Need(threads=1, gpu=True, threads_alone=2)


@pytest.mark.parametrize("text", INVALID)
def test_a_room_that_is_not_valid_is_left_to_the_pipeline(rooms, text):
    (rooms / "large/params.yaml").write_text(text)
    assert need_of([rooms / "large", rooms / "large/search", rooms / "missing"]) == Need()


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
