"""`optbench repro` with local processes: what a serial `dvc repro` does, sooner."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import ROOT, Project
from tests.faults.sites import wait_until
from tests.params.test_document import LISTS
from tests.scaling.trivial import CELL, TrivialPipeline, began, optbench, slow, start, together

from optbench.scaling import reproduction, resources, view
from optbench.supervision.progress import VARIABLE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")


def trivial(folder: Path, *, cells: int = 8, **arguments: str) -> TrivialPipeline:
    return TrivialPipeline(folder, cells=cells, **arguments)


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_lock_and_results_are_those_of_a_serial_run(tmp_path, serial, jobs):
    pipeline = trivial(tmp_path / "pipeline")
    output = pipeline.run(*optbench("--jobs", str(jobs), "--oversubscribe")).stdout
    assert "9 done" in output
    assert pipeline.files() == serial
    assert "up to date" in pipeline.run("dvc", "status").stdout
    pipeline.run("git", "add", "-A")
    assert pipeline.run(*optbench()).stdout == "nothing had changed: looked at 9 stages\n"
    assert pipeline.files() == serial


def test_control_another_param_gives_another_lock(tmp_path, serial, here):
    pipeline = trivial(tmp_path / "pipeline")
    (pipeline.folder / "params.yaml").write_text("lr: 0.2\n")
    assert here(pipeline)[0] == 0
    assert pipeline.files() != serial


def test_a_target_takes_what_it_needs_and_no_more(tmp_path, here):
    pipeline = trivial(tmp_path / "pipeline")
    code, output = here(pipeline, "train@3", "train@5")
    assert code == 0
    assert "2 done" in output
    assert sorted(pipeline.results()) == ["3", "5"]


def test_changes_alone_run_and_the_run_cache_is_used(tmp_path, here):
    pipeline = trivial(tmp_path / "pipeline", command="date +%N > results/${item.cell}")
    assert here(pipeline, "--jobs", "2")[0] == 0
    before = pipeline.results()
    (pipeline.folder / "results/3").unlink()
    (pipeline.folder / "dvc.lock").unlink()
    assert here(pipeline, "--jobs", "2")[0] == 0
    assert pipeline.results() == before


def test_params_of_endless_aliases_are_refused_before_dvc_expands_them(tmp_path, here):
    pipeline = trivial(tmp_path / "pipeline")
    params = pipeline.folder / "params.yaml"
    good = params.read_text()
    params.write_text(f"{good}{LISTS(count=9)}")
    begin = time.monotonic()
    code, output = here(pipeline)
    assert code == 1
    assert time.monotonic() - begin < 10  # DVC would take hours
    assert f"params.yaml: line {good.count(chr(10)) + 2}: *a0 is an alias: write the" in output
    params.write_text(f"{good}first: [1, 2]\nsecond: [1, 2]\n")  # the control
    assert here(pipeline)[0] == 0


@pytest.mark.parametrize(("cells", "jobs"), [(4, 4), (16, 8)])
def test_as_many_stages_as_jobs_run_at_once_wave_after_wave(tmp_path, here, cells, jobs):
    pipeline = trivial(tmp_path / "pipeline", cells=cells, command=together(jobs))
    code, output = here(pipeline, "--jobs", str(jobs), "--oversubscribe")
    assert code == 0, output
    assert f"{cells + 1} done" in output


def test_control_fewer_jobs_are_not_as_many_at_once(tmp_path, here):
    pipeline = trivial(tmp_path / "pipeline", cells=4, command=together(4, wait_s=0.5))
    code, output = here(pipeline, "--jobs", "3", "--oversubscribe")
    assert code == 1
    assert "4 failed" in output


def test_a_failed_cell_stops_only_what_needs_it(tmp_path, here):
    command = f"test ${{item.cell}} != 3 || {{ echo the reason; exit 7; }}; {CELL}"
    pipeline = trivial(tmp_path / "pipeline", command=command)
    code, output = here(pipeline, "--jobs", "2")
    assert code == 1
    assert "7 done, 1 failed, 1 skipped" in output
    assert "failed: train@3: the reason" in output
    assert "failed: train@3: see logs/stages/train@3.log" in output
    assert "the reason" in (pipeline.folder / "logs/stages/train@3.log").read_text()
    assert "Traceback" not in output
    assert "train@3" not in (pipeline.folder / "dvc.lock").read_text()
    (pipeline.folder / "dvc.yaml").write_text(
        (pipeline.folder / "dvc.yaml").read_text().replace("!= 3", "!= 9")
    )
    assert here(pipeline, "--jobs", "2")[0] == 0


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_where_nothing_can_be_shown_it_ends_and_leaves_nothing_running(
    tmp_path, here, monkeypatch, jobs
):
    """As where the reader of a pipe has gone, or a disk is full."""
    pipeline = trivial(tmp_path / "pipeline", command=slow(30, from_cell=1))

    def broken(self: view.View, sentence: str) -> None:
        raise OSError("nobody reads")

    monkeypatch.setattr(view.View, "say", broken)
    begin = time.monotonic()
    with pytest.raises(OSError, match="nobody reads"):
        here(pipeline, "--jobs", jobs, "--oversubscribe")
    assert time.monotonic() - begin < 20
    for process in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            assert process.parent.name == str(os.getpid()) or process.readlink() != pipeline.folder


def test_a_missing_output_is_told_without_a_traceback(tmp_path, here):
    pipeline = trivial(tmp_path / "pipeline", cells=2, command="true ${item.cell}")
    code, output = here(pipeline)
    assert code == 1
    assert "does not exist" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("hears_hang_up")
def test_a_signal_ends_every_child_and_keeps_what_is_done(tmp_path, number):
    pipeline = trivial(tmp_path / "pipeline", command=slow(10, from_cell=2))
    process = start(pipeline, "--jobs", "2")
    wait_until(lambda: {"0", "1", "2", "3"} <= began(pipeline), 30)
    begin = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert time.monotonic() - begin < 5
    assert process.returncode == 128 + number, output
    assert f"{number.name}: stopped; what was done is kept" in output
    assert "2 done" in output
    assert "2 stopped" in output
    assert "Traceback" not in output
    assert began(pipeline) == {"0", "1", "2", "3"}
    lock = (pipeline.folder / "dvc.lock").read_text()
    assert re.findall(r"train@\d", lock) == ["train@0", "train@1"]


def test_killed_outright_no_finished_cell_is_lost(tmp_path):
    """Its entry in dvc.lock may be missing: DVC's run-cache has it."""
    pipeline = trivial(tmp_path / "pipeline", cells=6, command=slow(30, from_cell=4))
    process = start(pipeline, "--jobs", "2")
    wait_until(lambda: {"4", "5"} <= began(pipeline), 30)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (pipeline.folder / "enough").touch()
    wait_until(lambda: {"4", "5"} <= set(pipeline.results()), 10)  # by those that are left over
    shutil.rmtree(pipeline.folder / "began")
    pipeline.run(*optbench("--jobs", "2"))
    assert began(pipeline) == {"4", "5"}


def test_a_killed_child_is_tried_again(tmp_path, here, monkeypatch):
    monkeypatch.setattr(reproduction, "PAUSE_S", 0.1)
    command = "mkdir -p began; test -e began/${item.cell} || { touch began/${item.cell};"
    command += " kill -9 $$; }; echo ${item.cell} > results/${item.cell}"
    pipeline = trivial(tmp_path / "pipeline", cells=2, command=command)
    code, output = here(pipeline, "--jobs", "2", "train@0")
    assert code == 0
    assert "train@0: lost its worker (exit code 137), is tried again" in output
    assert "1 done" in output


def test_a_child_that_is_always_killed_fails_in_the_end(tmp_path, here, monkeypatch):
    monkeypatch.setattr(reproduction, "PAUSE_S", 0.1)
    pipeline = trivial(tmp_path / "pipeline", cells=1, command="echo ${item.cell}; kill -9 $$")
    code, output = here(pipeline, "train@0")
    assert code == 1
    assert output.count("is tried again") == 2
    assert "1 failed" in output


def test_each_job_has_a_gpu_of_its_own(tmp_path, here, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    command = (
        f"{together(2).removesuffix(CELL)} echo $CUDA_VISIBLE_DEVICES > results/${{item.cell}}"
    )
    pipeline = trivial(tmp_path / "pipeline", cells=6, command=command)
    code, output = here(pipeline, "--jobs", "2", "--oversubscribe")
    assert code == 0, output
    assert sorted(pipeline.results().values()) == 3 * ["5\n"] + 3 * ["7\n"]


SEVERAL = "settings: {{threads: 1, devices: {devices}, device: auto}}\n"


def in_a_room(folder: Path, *, cells: int, devices: int) -> TrivialPipeline:
    """Trivial cells in a room, as its studies, that tell the GPUs they have."""
    command = (
        f"{together(2).removesuffix(CELL)} echo $CUDA_VISIBLE_DEVICES > results/${{item.cell}}"
    )
    pipeline = trivial(folder, cells=cells, command=command)
    room = pipeline.folder / "workloads/small"
    room.mkdir(parents=True)
    (room / "params.yaml").write_text(SEVERAL.format(devices=devices))
    file = pipeline.folder / "dvc.yaml"
    text = file.read_text().replace("  train:\n", "  study:\n    wdir: ../..\n")
    (room / "dvc.yaml").write_text(text.partition("  report:")[0])
    file.unlink()
    return pipeline


ROOM_FILE = "workloads/small/dvc.yaml"


def test_each_job_has_as_many_gpus_as_devices_none_of_them_another_s(tmp_path, here, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7,0,2,9")
    monkeypatch.setattr(resources, "usable_cores", lambda: 4)
    pipeline = in_a_room(tmp_path / "pipeline", cells=4, devices=2)
    code, output = here(pipeline, "--jobs", "2", ROOM_FILE)
    assert code == 0, output
    assert sorted(pipeline.results().values()) == 2 * ["0,2\n"] + 2 * ["5,7\n"]


@pytest.mark.parametrize(
    ("gpus", "cores", "message"),
    [
        ("5,7,0", 4, "--jobs 2: each needs 2 GPUs (workloads/<name>/params.yaml: settings.devices"),
        ("5,7,0,2", 3, "--jobs 2: with 2 devices of 1 thread each"),
        ("", 3, "--jobs 2: with 2 devices of 1 thread each"),
    ],
)
def test_jobs_on_more_devices_than_are_here_are_refused_before_anything_runs(
    tmp_path, here, monkeypatch, gpus, cores, message
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    monkeypatch.setattr(resources, "usable_cores", lambda: cores)
    pipeline = in_a_room(tmp_path / "pipeline", cells=2, devices=2)
    code, output = here(pipeline, "--jobs", "2", ROOM_FILE)
    assert code == 1
    assert message in output
    assert "take --jobs 1, or --oversubscribe to share them" in output
    assert not pipeline.results()
    assert here(pipeline, "--jobs", "2", "--oversubscribe", ROOM_FILE)[0] == 0  # the control


def test_a_single_run_with_an_override_has_its_gpus_beside_studies_of_one(
    tmp_path, here, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7,0,2")
    monkeypatch.setattr(resources, "usable_cores", lambda: 4)
    pipeline = in_a_room(tmp_path / "pipeline", cells=4, devices=1)
    (pipeline.folder / "params.yaml").write_text("lr: 0.1\noverride: {devices: 3}\n")
    single = "  run:\n    wdir: ../..\n    cmd: echo $CUDA_VISIBLE_DEVICES > single\n"
    file = pipeline.folder / ROOM_FILE
    file.write_text(f"{file.read_text()}{single}    outs:\n    - single\n")
    code, output = here(pipeline, "--jobs", "2", ROOM_FILE)
    assert code == 0, output
    assert sorted(pipeline.results().values()) == 2 * ["5\n"] + 2 * ["7\n"]
    assert (pipeline.folder / "single").read_text() == "5,7,0\n"
    (pipeline.folder / "params.yaml").write_text("lr: 0.1\noverride: {devices: 5}\n")
    code, output = here(pipeline, "--jobs", "2", ROOM_FILE)
    assert code == 1
    assert "a job with 5 devices of 1 thread" in output


def test_a_cell_that_runs_is_shown_with_the_points_of_this_start_alone(tmp_path, here, monkeypatch):
    monkeypatch.setattr(view, "LINE_EVERY_S", 0.0)
    monkeypatch.setattr(reproduction, "LOOK_EVERY_S", 0.05)
    command = f"sleep 0.3; cat point >> ${VARIABLE}; sleep 0.3; {CELL}"
    pipeline = trivial(tmp_path / "pipeline", cells=1, command=command)
    point = {"since_step": 5, "step": 10, "steps": 20, "heldout": "accuracy 85.00 %", "time_s": 4}
    (pipeline.folder / "point").write_text(json.dumps(point) + "\n")
    log = pipeline.folder / "logs/stages/train@0.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps({**point, "step": 19}) + "\n")  # of an earlier start
    code, output = here(pipeline, "train@0")
    assert code == 0, output
    assert "train@0 for 0 s" in output
    assert "train@0 step 10/20, accuracy 85.00 %, 8 s left" in output
    assert "19/20" not in output
    assert log.read_text() == (pipeline.folder / "point").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs: got 0: must be 1 or more"),
        (["--jobs", "two"], "--jobs"),
        (["--jobs", "1000"], "need 1000 cores"),
        (["--engine", "ray"], "--engine: unknown engine 'ray': known: dask, local, slurm"),
        (["trian@3"], "trian@3"),
        (["nowhere/dvc.yaml"], "nowhere/dvc.yaml"),
    ],
)
def test_bad_input_is_told_before_anything_runs(tmp_path, here, arguments, message):
    pipeline = trivial(tmp_path / "pipeline")
    code, output = here(pipeline, *arguments)
    assert code in (1, 2)
    assert message in output
    assert "Traceback" not in output
    assert not pipeline.results()


def test_a_dvc_yaml_that_is_not_valid_is_told(tmp_path):
    pipeline = trivial(tmp_path / "pipeline")
    (pipeline.folder / "dvc.yaml").write_text("stages:\n  train: {cmd: 3}\n")
    done = pipeline.run(*optbench(), check=False)
    assert done.returncode == 1
    assert "dvc.yaml" in done.stdout
    assert "Traceback" not in done.stdout


def test_outside_of_a_dvc_project_it_says_so(tmp_path, here):
    code, output = here(Project(tmp_path))
    assert code == 1
    assert "not inside of a DVC repository" in output
    assert "Traceback" not in output


def test_it_starts_without_torch():
    """Which takes seconds and memory; the control is what it needs."""
    code = "import sys, optbench.scaling.reproduction; print({'dvc', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")}, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "{'dvc'}"
