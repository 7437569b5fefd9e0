from pathlib import Path

import pytest
from tests.conftest import ROOT

from optbench.core.errors import UsageError
from optbench.scaling.reproduction import require_room
from optbench.scaling.resources import Machine, Need, needs_of, this_machine

FOUR_GPUS = Machine(cores=16, gpus=("0", "1", "5", "7"))
TWO_DEVICES = Need(devices=2, gpu=True)


def test_jobs_times_threads_beyond_the_cores_are_refused_with_the_way_out():
    machine = Machine(cores=4)
    machine.require_room(jobs=2, needs=[Need(threads=2)])
    message = (
        r"with 2 threads each \(workloads/<name>/params.yaml: settings.threads, or those of "
        r"suite\) they need 6 cores, and here are 4: take --jobs 2, or --oversubscribe"
    )
    with pytest.raises(UsageError, match=message):
        machine.require_room(jobs=3, needs=[Need(threads=2)])


def test_each_device_has_threads_of_its_own():
    machine = Machine(cores=12)
    need = Need(threads=3, devices=2)
    machine.require_room(jobs=2, needs=[Need(), need])
    message = (
        r"--jobs 3: with 2 devices of 3 threads each \(workloads/<name>/params.yaml: "
        r"settings.devices, .*override.devices; settings.threads\) they need 18 cores, and here "
        r"are 12: take --jobs 2, or --oversubscribe"
    )
    with pytest.raises(UsageError, match=message):
        machine.require_room(jobs=3, needs=[Need(), need])


def test_a_job_that_does_not_fit_by_itself_is_told_so():
    message = "a job with 8 devices of 2 threads .*needs 16 cores, and here are 12: take a machine"
    with pytest.raises(UsageError, match=message):
        Machine(cores=12).require_room(jobs=1, needs=[Need(threads=2, devices=8)])
    message = r"a job needs 8 GPUs \(.*settings.devices.*\), and here are 4: take a machine"
    with pytest.raises(UsageError, match=message):
        FOUR_GPUS.require_room(jobs=1, needs=[Need(devices=8, gpu=True)])


def test_as_many_gpus_a_job_as_it_has_devices():
    FOUR_GPUS.require_room(jobs=4, needs=[Need(gpu=True)])
    with pytest.raises(UsageError, match="each needs a GPU, and here are 4: take --jobs 4, or"):
        FOUR_GPUS.require_room(jobs=5, needs=[Need(gpu=True)])
    FOUR_GPUS.require_room(jobs=2, needs=[TWO_DEVICES])
    message = (
        r"--jobs 3: each needs 2 GPUs \(.*settings.devices.*\), and here are 4: take --jobs 2,"
    )
    with pytest.raises(UsageError, match=message):
        FOUR_GPUS.require_room(jobs=3, needs=[TWO_DEVICES])
    FOUR_GPUS.require_room(jobs=5, needs=[Need()])
    FOUR_GPUS.require_room(jobs=4, needs=[Need(devices=2)])  # of the CPU
    Machine(cores=4).require_room(jobs=2, needs=[TWO_DEVICES])  # no GPU: as many processes


@pytest.mark.parametrize("first", [TWO_DEVICES, Need(gpu=True), Need()])
@pytest.mark.parametrize("second", [TWO_DEVICES, Need(gpu=True), Need()])
def test_jobs_at_once_have_gpus_of_their_own(first, second):
    width = max(1, first.gpus, second.gpus)
    ours = FOUR_GPUS.gpus_of(0, first, width=width)
    theirs = FOUR_GPUS.gpus_of(1, second, width=width)
    assert len(ours) == max(1, first.gpus)
    assert len(theirs) == max(1, second.gpus)
    assert not {*ours} & {*theirs}


def test_control_jobs_beyond_the_gpus_share_them():
    shared = [FOUR_GPUS.gpus_of(place, TWO_DEVICES, width=2) for place in range(3)]
    assert shared == [("0", "1"), ("5", "7"), ("0", "1")]
    assert FOUR_GPUS.gpus_of(1, Need(devices=8, gpu=True), width=8) == FOUR_GPUS.gpus


def test_a_stage_that_runs_alone_needs_room_for_itself_alone():
    needs = {
        "workloads/a/dvc.yaml:run": Need(devices=4, gpu=True),
        "workloads/a/dvc.yaml:study@sgd-cosine-0": Need(gpu=True),
        "workloads/a/dvc.yaml:cost@sgd": Need(threads=99),  # refuses by itself, where it is stale
    }
    require_room(FOUR_GPUS, needs, jobs=4)
    needs["workloads/a/dvc.yaml:run"] = Need(devices=5, gpu=True)
    with pytest.raises(UsageError, match="a job needs 5 GPUs"):
        require_room(FOUR_GPUS, needs, jobs=1)


ROOMS = {
    "small": "settings: {threads: 1, device: auto}\n",
    "large": "settings: {threads: 2, device: cpu}\nsuite: {threads: null}\n",
    "first": "settings: {threads: 2, device: 'cuda:1'}\n",
    "several": "settings: {threads: 3, devices: 4, device: cuda}\nsuite: {threads: 2}\n",
}
INVALID = (
    "", "- 1\n", "settings: 3\n", "settings: {threads: x}\n", "settings: {threads: 1.5}\n",
    "settings: {\n", "settings: {device: null}\n", "\x00", "settings: {devices: -2}\n",
    "settings: {devices: true}\n",
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


def need_of(stage: str) -> Need:
    return needs_of([stage])[stage]


@pytest.mark.usefixtures("rooms")
def test_a_stage_needs_what_its_room_says():
    study = "dvc.yaml:study@sgd-cosine-0"
    assert need_of(f"workloads/small/{study}") == Need(threads=1, gpu=True)
    assert need_of(f"workloads/large/{study}") == Need(threads=2)
    assert need_of(f"workloads/first/{study}") == Need(threads=2, gpu=True)
    others = ("score@large", "data/dvc.yaml:download@digits", "workloads/large/dvc.yaml:evaluate")
    assert needs_of(others) == dict.fromkeys(others, Need())


@pytest.mark.usefixtures("rooms")
@pytest.mark.parametrize(
    "stage",
    ["dvc.yaml:study@sgd-cosine-untuned-3", "dvc.yaml:repeat@sgd-cosine",
     "dvc.yaml:fresh@sgd-cosine", "control/dvc.yaml:control"],
)  # fmt: skip
def test_studies_have_threads_of_their_own_and_so_has_all_that_is_of_studies(stage):
    need = Need(threads=2, devices=4, gpu=True)
    assert (need.cores, need.gpus) == (8, 4)
    assert need_of(f"workloads/several/{stage}") == need
    assert need_of(f"workloads/large/{stage}") == Need(threads=2)


@pytest.mark.usefixtures("rooms")
def test_a_sweep_has_the_settings(rooms):
    need = need_of("workloads/several/sweeps/dvc.yaml:sweep@betas")
    assert need == Need(threads=3, devices=4, gpu=True)


@pytest.mark.usefixtures("rooms")
def test_the_single_run_has_the_settings_and_costs_one_device():
    file = "workloads/several/dvc.yaml"
    assert need_of(f"{file}:run") == Need(threads=3, devices=4, gpu=True)
    assert need_of(f"{file}:cost@sgd") == Need(threads=3, gpu=True)


@pytest.mark.usefixtures("rooms")
def test_an_override_counts_for_the_single_run_alone():
    Path("params.yaml").write_text("override: {devices: 2, device: cpu, lr: 0.1, epochs: null}\n")
    file = "workloads/several/dvc.yaml"
    assert need_of(f"{file}:run") == Need(threads=3, devices=2)
    assert need_of(f"{file}:study@sgd-cosine-0").devices == 4
    assert need_of(f"{file}:cost@sgd").devices == 1
    Path("params.yaml").write_text("override: {devices: null}\n")
    assert need_of(f"{file}:run").devices == 4


def test_this_project_s_rooms_are_understood(monkeypatch):
    monkeypatch.chdir(ROOT)
    file = "workloads/cifar10-resnet9/dvc.yaml"
    assert need_of(f"{file}:study@sgd-cosine-0") == Need(threads=1, gpu=True)
    assert need_of(f"{file}:run") == Need(threads=2, gpu=True)


@pytest.mark.usefixtures("rooms")
@pytest.mark.parametrize("text", INVALID)
def test_a_room_that_is_not_valid_is_left_to_the_pipeline(text):
    Path("workloads/large/params.yaml").write_text(text)
    Path("params.yaml").write_text(text)
    stages = [
        f"workloads/{file}:{stage}"
        for file in ("large/dvc.yaml", "large/control/dvc.yaml", "missing/dvc.yaml")
        for stage in ("study@sgd-cosine-0", "run", "control")
    ]
    assert {*needs_of(stages).values()} == {Need()}


@pytest.mark.parametrize(
    ("chosen", "gpus"),
    [
        ("", ()),
        ("3", ("3",)),
        ("0,GPU-8a", ("0", "GPU-8a")),
        ("-1", ()),
        ("2,-1,0", ("2",)),
    ],
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
