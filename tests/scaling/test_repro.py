"""`optbench repro` with local processes: what a serial `dvc repro` does, sooner."""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from tests.conftest import Project
from tests.faults.sites import wait_until
from tests.scaling.trivial import CELL, TrivialPipeline, optbench, start


def slow(seconds: float, *, from_cell: int = 0) -> str:
    """Notes that it began and takes its time; SIGTERM ends it with what a trainer exits with."""
    count = f"$(test ${{item.cell}} -lt {from_cell} && echo 1 || echo {10 * seconds:.0f})"
    return (
        "trap 'exit 143' TERM; mkdir -p began; date >> began/${item.cell};"
        f" for i in $(seq {count}); do sleep 0.1; done; {CELL}"
    )


def trivial(folder: Path, *, cells: int = 8, **arguments: str) -> TrivialPipeline:
    return TrivialPipeline(folder, cells=cells, **arguments)


def began(pipeline: TrivialPipeline) -> set[str]:
    return {path.name for path in (pipeline.folder / "began").glob("*")}


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_lock_and_results_are_those_of_a_serial_run(tmp_path, serial, jobs):
    pipeline = trivial(tmp_path / "pipeline")
    output = pipeline.run(*optbench("--jobs", str(jobs), "--oversubscribe")).stdout
    assert "9 done" in output
    assert pipeline.files() == serial
    assert "up to date" in pipeline.run("dvc", "status").stdout
    pipeline.run("git", "add", "-A")
    assert "9 unchanged" in pipeline.run(*optbench()).stdout
    assert pipeline.files() == serial


def test_control_another_param_gives_another_lock(tmp_path, serial):
    pipeline = trivial(tmp_path / "pipeline")
    (pipeline.folder / "params.yaml").write_text("lr: 0.2\n")
    pipeline.run(*optbench())
    assert pipeline.files() != serial


def test_a_target_takes_what_it_needs_and_no_more(tmp_path):
    pipeline = trivial(tmp_path / "pipeline")
    assert "2 done" in pipeline.run(*optbench("train@3", "train@5")).stdout
    assert sorted(path.name for path in (pipeline.folder / "results").iterdir()) == ["3", "5"]


def test_changes_alone_run_and_the_run_cache_is_used(tmp_path):
    pipeline = trivial(tmp_path / "pipeline", command="date +%N > results/${item.cell}")
    pipeline.run(*optbench("--jobs", "2"))
    before = {path.name: path.read_text() for path in (pipeline.folder / "results").iterdir()}
    (pipeline.folder / "results/3").unlink()
    (pipeline.folder / "dvc.lock").unlink()
    pipeline.run(*optbench("--jobs", "2"))
    after = {path.name: path.read_text() for path in (pipeline.folder / "results").iterdir()}
    assert after == before


def test_stages_overlap(tmp_path):
    pipeline = trivial(tmp_path / "pipeline", cells=4, command=slow(2))
    begin = time.monotonic()
    pipeline.run(*optbench("--jobs", "4", "--oversubscribe"))
    assert time.monotonic() - begin < 7  # one after another: over 8


def test_a_failed_cell_stops_only_what_needs_it(tmp_path):
    command = f"test ${{item.cell}} != 3 || {{ echo the reason; exit 7; }}; {CELL}"
    pipeline = trivial(tmp_path / "pipeline", command=command)
    done = pipeline.run(*optbench("--jobs", "2"), check=False)
    assert done.returncode == 1
    assert "7 done, 1 failed, 1 skipped" in done.stdout
    assert "failed: train@3: the reason" in done.stdout
    assert "logs/stages/train@3.log" in done.stdout
    assert "the reason" in (pipeline.folder / "logs/stages/train@3.log").read_text()
    assert "Traceback" not in done.stdout
    assert "train@3" not in (pipeline.folder / "dvc.lock").read_text()
    (pipeline.folder / "dvc.yaml").write_text(
        (pipeline.folder / "dvc.yaml").read_text().replace("!= 3", "!= 9")
    )
    assert pipeline.run(*optbench("--jobs", "2")).returncode == 0


def test_a_missing_output_is_told_without_a_traceback(tmp_path):
    pipeline = trivial(tmp_path / "pipeline", cells=2, command="true ${item.cell}")
    done = pipeline.run(*optbench(), check=False)
    assert done.returncode == 1
    assert "does not exist" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
    pipeline = trivial(tmp_path / "pipeline", cells=6, command=slow(10, from_cell=4))
    process = start(pipeline, "--jobs", "2")
    wait_until(lambda: {"4", "5"} <= began(pipeline), 30)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    shutil.rmtree(pipeline.folder / "began")
    pipeline.run(*optbench("--jobs", "2"))
    assert began(pipeline) == {"4", "5"}


def test_a_killed_child_is_tried_again(tmp_path):
    command = "mkdir -p began; test -e began/${item.cell} || { touch began/${item.cell};"
    command += " kill -9 $$; }; echo ${item.cell} > results/${item.cell}"
    pipeline = trivial(tmp_path / "pipeline", cells=2, command=command)
    output = pipeline.run(*optbench("--jobs", "2", "train@0")).stdout
    assert "train@0: lost its worker (exit code 137), is tried again" in output
    assert "1 done" in output


def test_a_child_that_is_always_killed_fails_in_the_end(tmp_path):
    pipeline = trivial(tmp_path / "pipeline", cells=1, command="echo ${item.cell}; kill -9 $$")
    done = pipeline.run(*optbench("train@0"), check=False)
    assert done.returncode == 1
    assert done.stdout.count("is tried again") == 2
    assert "1 failed" in done.stdout


def test_each_job_has_a_gpu_of_its_own(tmp_path):
    command = "sleep 0.3; echo $CUDA_VISIBLE_DEVICES > results/${item.cell}"
    pipeline = trivial(tmp_path / "pipeline", cells=6, command=command)
    process = start(pipeline, "--jobs", "2", CUDA_VISIBLE_DEVICES="5,7")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    found = [(pipeline.folder / f"results/{cell}").read_text().strip() for cell in range(6)]
    assert sorted(set(found)) == ["5", "7"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs: got 0: must be 1 or more"),
        (["--jobs", "two"], "--jobs"),
        (["--jobs", "1000"], "need 1000 cores"),
        (["--engine", "ray"], "unknown engine 'ray'; known: dask, local, slurm"),
        (["trian@3"], "trian@3"),
        (["nowhere/dvc.yaml"], "nowhere/dvc.yaml"),
    ],
)
def test_bad_input_is_told_before_anything_runs(tmp_path, arguments, message):
    pipeline = trivial(tmp_path / "pipeline")
    done = pipeline.run(*optbench(*arguments), check=False)
    assert done.returncode in (1, 2)
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert not list((pipeline.folder / "results").iterdir())


def test_a_dvc_yaml_that_is_not_valid_is_told(tmp_path):
    pipeline = trivial(tmp_path / "pipeline")
    (pipeline.folder / "dvc.yaml").write_text("stages:\n  train: {cmd: 3}\n")
    done = pipeline.run(*optbench(), check=False)
    assert done.returncode == 1
    assert "dvc.yaml" in done.stdout
    assert "Traceback" not in done.stdout


def test_outside_of_a_dvc_project_it_says_so(tmp_path):
    done = Project(tmp_path).run(*optbench(), check=False)
    assert done.returncode == 1
    assert "not inside of a DVC repository" in done.stdout
    assert "Traceback" not in done.stdout
