"""Dask with two real workers and submitit's local executor; the worker of a training is killed."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dask.config
import pytest
from distributed import Client, LocalCluster
from tests.conftest import ENVIRONMENT, ROOT, Project
from tests.faults.sites import is_running, wait_until
from tests.scaling.digits import ROOM, STUDIES, WORKLOAD, copy_of, kept, log_of, tree
from tests.scaling.trivial import CELL as TRIVIAL_CELL
from tests.scaling.trivial import TrivialPipeline, began, optbench, slow, start

from optbench.core.errors import UsageError
from optbench.scaling import resources
from optbench.scaling.engine import load
from optbench.scaling.engines import slurm
from optbench.scaling.job import Job
from optbench.scaling.resources import Machine, Need
from optbench.supervision.keeper import VARIABLE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")
STAGE = STUDIES[0]
STUDY = STAGE.partition("@")[2]
SUBMITIT = str(Path(__file__).with_name("submitit_engine.py"))
EXECUTORS = ["local", pytest.param("slurm", marks=pytest.mark.slurm)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A scheduler and two workers, as somebody starts them; gives the variable that names it."""
    file = tmp_path / "scheduler.json"
    environment = {**ENVIRONMENT, "PYTHONPATH": "src"}

    def command(*arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
            cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    processes = [
        command("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    ]
    wait_until(file.exists, 30)
    worker = ("worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard")
    processes += [command(*worker, "--no-nanny", "--local-directory", str(tmp_path / "dask"))
                  for _ in range(2)]  # fmt: skip
    address = json.loads(file.read_text())["address"]
    with Client(address) as client:
        client.wait_for_workers(2, timeout=60)
    yield {"DASK_SCHEDULER_ADDRESS": address}
    for process in processes:
        process.kill()
        process.wait()


def study_files(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the study."""
    folder = f"results/{WORKLOAD}/suite/{STUDY}/0/"
    found = {name: content for name, content in files.items() if folder in name}
    assert any(name.endswith("trials.csv") for name in found)
    return found


def trainer_of(project: Project, run: str = f"{WORKLOAD}/suite/{STUDY}") -> int:
    """The process that carries the study out, or trains a run; of several devices the first."""
    holder = project.folder / f"scratch/locks/{run}.holder"
    return int(holder.read_text().split()[1])


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def kill_the_worker_of_a_training(project: Project, process: subprocess.Popen) -> str:
    """Kills it once there is a checkpoint; gives what the command then prints to its end."""
    there = kept(STUDY)
    wait_until(lambda: process.poll() is not None or any(project.folder.glob(there)), 120)
    assert process.poll() is None, process.communicate()[0]
    trainer = trainer_of(project)
    os.kill(parent_of(trainer), signal.SIGKILL)
    wait_until(lambda: not is_running(trainer), 15)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    assert "goes on after step" in log_of(project, STAGE)
    return output


@pytest.mark.slow
def test_dask_gives_the_study_of_a_killed_worker_to_another_that_goes_on(longer, cluster):
    process = start(longer, "--jobs", "2", "--engine", "dask", STAGE, **cluster, **{VARIABLE: "0"})
    kill_the_worker_of_a_training(longer, process)
    assert study_files(tree(longer)) == study_files(longer.expected)
    assert longer.run("dvc", "status", STAGE).stdout.count("changed") == 0


def run_a_cell_that_kills(folder: Path, *, workers: int) -> tuple[int, int, str]:
    """Three cells on two workers of Dask, which bears one death; cell 0 kills so many workers.

    Gives how often cell 0 was started, the exit code, and what is printed.
    """
    kill = f"test $(wc -l < began/0) -gt {workers} || {{ kill -9 $PPID; exit 1; }}"
    command = "mkdir -p began; echo start >> began/${item.cell};"
    command += f" test ${{item.cell}} != 0 || {kill}; {TRIVIAL_CELL}"
    pipeline = TrivialPipeline(folder, cells=3, command=command)
    allowed = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    process = start(pipeline, "--jobs", "2", "--engine", "dask", **allowed)
    output, _ = process.communicate(timeout=60)
    return (folder / "began/0").read_text().count("start"), process.returncode, output


def test_dask_alone_tries_a_cell_again_that_kills_every_worker(tmp_path):
    starts, code, output = run_a_cell_that_kills(tmp_path / "pipeline", workers=99)
    assert starts == 2, output
    assert code == 1
    assert "2 done, 1 failed, 1 skipped" in output
    end = "failed: train@0: Dask gives up after the death of 2 of its workers, the last one"
    assert re.search(rf"^{end} tcp://[\d.:]+: see the workers' own logs, and run", output, re.M)
    assert "failed: train@0: see logs/stages/train@0.log" in output
    assert "is tried again" not in output
    assert "Traceback" not in output
    assert "Dask gives up" in (tmp_path / "pipeline/logs/stages/train@0.log").read_text()


def test_control_a_cell_that_kills_no_more_workers_than_dask_allows_is_done(tmp_path):
    starts, code, output = run_a_cell_that_kills(tmp_path / "pipeline", workers=1)
    assert starts == 2, output
    assert code == 0
    assert "4 done" in output


def start_submitit(project: Project, executor: str, *targets: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, SUBMITIT, executor, *targets], cwd=project.folder, text=True,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT / "src"), VARIABLE: "0"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
def test_submitit_tries_the_study_of_a_killed_worker_again_and_it_goes_on(longer, executor):
    process = start_submitit(longer, executor, STAGE)
    output = kill_the_worker_of_a_training(longer, process)
    assert "lost its worker" in output
    assert study_files(tree(longer)) == study_files(longer.expected)
    assert longer.run("dvc", "status", STAGE).stdout.count("changed") == 0


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
def test_submitit_gives_the_lock_of_a_serial_run(tmp_path, serial, executor):
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=8)
    output, _ = start_submitit(pipeline, executor).communicate()
    assert "9 done, in" in output
    assert pipeline.files() == serial


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
def test_sigterm_ends_what_submitit_runs(tmp_path, executor):
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=4, command=slow(30))
    process = start_submitit(pipeline, executor)
    wait_until(lambda: {"0", "1"} <= began(pipeline), 60)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 143, output
    assert "2 stopped" in output
    shells = subprocess.run(
        ["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert not shells.stdout.split()


@pytest.mark.slow
def test_slurms_notice_to_every_process_of_two_devices_keeps_the_step(longer, tmp_path):
    """Sent to the launcher and to each trainer, as Slurm does; then the job is begun again."""
    longer.set("override.devices", 2)
    uninterrupted = copy_of(longer.folder, tmp_path / "uninterrupted")
    single, run = f"{ROOM}:run", f"{WORKLOAD}/run"
    uninterrupted.run("dvc", "repro", single)
    process = start_submitit(longer, "local", single)
    there = f"scratch/checkpoints/{run}/*/*.checkpoint"
    wait_until(lambda: process.poll() is not None or any(longer.folder.glob(there)), 120)
    assert process.poll() is None, process.communicate()[0]
    launcher = parent_of(trainer_of(longer, run))
    trainers = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    assert len(trainers) == 2
    for pid in (launcher, *map(int, trainers)):
        os.kill(pid, signal.SIGUSR1)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    log = log_of(longer, single)
    assert re.search(r"stopped after step (\d+)(?s:.*)goes on after step \1 ", log), log
    results, expected = (
        {name: content for name, content in tree(project).items() if f"results/{run}/" in name}
        for project in (longer, uninterrupted)
    )
    assert results == expected
    metrics = json.loads(results[f"results/{run}/metrics.json"])
    assert metrics["fingerprint"]["devices"] == "2"


@pytest.mark.slurm
def test_slurms_notice_of_preemption_keeps_the_step_and_queues_the_job_again(longer):
    process = start_submitit(longer, "slurm", STAGE)
    wait_until(lambda: any(longer.folder.glob(kept(STUDY))), 120)
    mine = subprocess.run(
        ["squeue", "--me", "-ho", "%i"], capture_output=True, text=True, check=True
    )
    subprocess.run(["scancel", "--signal=USR1", *mine.stdout.split()], check=True)
    output, _ = process.communicate(timeout=400)  # Slurm itself waits two minutes
    assert process.returncode == 0, output
    log = log_of(longer, STAGE)
    assert re.search(r"stopped after step (\d+)(?s:.*)goes on after step \1 ", log), log
    assert study_files(tree(longer)) == study_files(longer.expected)


@pytest.mark.parametrize("variable", ["GPUS_PER_TASK", "GPUS_PER_NODE", "GPUS"])
@pytest.mark.parametrize(
    ("stated", "is_enough"),
    [("1", False), ("2", True), ("8", True), ("a100:1", False), ("a100:2", True),
     ("a100:1,v100:1", True), ("a100", False), ("", False)],
)  # fmt: skip
def test_fewer_gpus_than_devices_are_not_asked_of_slurm(monkeypatch, variable, stated, is_enough):
    monkeypatch.setattr(slurm.Engine, "cluster", "local")
    monkeypatch.setenv(f"SBATCH_{variable}", stated)
    slurm.Engine(jobs=1, needs={Need(gpu=True), Need(devices=2)}, sender="test")  # controls
    needs = {Need(gpu=True), Need(devices=2, gpu=True)}
    if is_enough:
        slurm.Engine(jobs=1, needs=needs, sender="test")
        return
    message = f"SBATCH_{variable}: got '{stated}', and a job has 2 devices .*SBATCH_GPUS_PER_TASK=2"
    with pytest.raises(UsageError, match=message):
        slurm.Engine(jobs=1, needs=needs, sender="test")


SBATCH = """#!/bin/sh
cp "$1" submitted.$(ls submitted.* 2>/dev/null | wc -l)
echo "Submitted batch job 1"
"""


def test_slurm_is_asked_for_the_threads_of_all_devices_of_each_job(tmp_path, monkeypatch):
    """By what submitit writes, as a stand-in for sbatch takes it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sbatch", "srun"):
        (tools / name).write_text(SBATCH)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    needs = (Need(), Need(threads=3, devices=4))
    engine = slurm.Engine(jobs=2, needs={*needs}, sender="test")
    for need in needs:
        job = Job(
            stage="study", command=("true",), folder=str(tmp_path), environment={}, log="log",
            sender="test", cores=need.cores,
        )  # fmt: skip
        engine._submit(job)
    first, second = ((tmp_path / f"submitted.{number}").read_text() for number in (0, 1))
    for text, cores in ((first, 1), (second, 12)):
        assert f"#SBATCH --cpus-per-task={cores}\n" in text
        assert f"--cpus-per-task={cores} " in text.partition("\nsrun ")[2]
        assert "gpu" not in text  # sbatch's own variables say that


def test_without_slurm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="engine slurm needs the command sbatch"):
        load("slurm").Engine(jobs=1, needs={Need()}, sender="test")


def test_a_dask_cluster_of_its_own_gives_the_lock_of_a_serial_run(tmp_path, serial):
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=8)
    assert "9 done" in pipeline.run(*optbench("--jobs", "2", "--engine", "dask")).stdout
    assert pipeline.files() == serial


def test_ctrl_c_ends_what_runs_on_dask(tmp_path, cluster):
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=4, command=slow(30))
    process = start(pipeline, "--jobs", "2", "--engine", "dask", **cluster)
    wait_until(lambda: {"0", "1"} <= began(pipeline), 30)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 130, output
    assert "2 stopped" in output
    assert began(pipeline) == {"0", "1"}


def test_more_jobs_than_dask_has_threads_are_refused(cluster):
    address = cluster["DASK_SCHEDULER_ADDRESS"]
    with (
        dask.config.set(scheduler_address=address),
        pytest.raises(UsageError, match="Dask's workers have 2 threads"),
    ):
        load("dask").Engine(jobs=3, needs={Need()}, sender="test")


@pytest.fixture
def workers(monkeypatch) -> Iterator[Callable[[int, Machine], None]]:
    """Dask's workers of so many threads, in this process, that find themselves on such a machine.

    Gives the function that starts one and names it as the scheduler to take.
    """
    with ExitStack() as stack:

        def start_on(threads: int, machine: Machine) -> None:
            monkeypatch.setattr(resources, "usable_cores", lambda: machine.cores)
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(machine.gpus))
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=1,
                    threads_per_worker=threads,
                    processes=False,
                    dashboard_address=None,
                    memory_limit=None,
                )
            )
            address = cluster.scheduler_address
            stack.enter_context(dask.config.set(scheduler_address=address))

        yield start_on


ON_TWO_GPUS = Need(threads=3, devices=2, gpu=True)


@pytest.mark.parametrize(
    ("threads", "machine", "need"),
    [
        (1, Machine(cores=5, gpus=("0", "1")), ON_TWO_GPUS),  # a core too few
        (1, Machine(cores=6, gpus=("0",)), ON_TWO_GPUS),
        (2, Machine(cores=12, gpus=("0", "1", "2", "3")), ON_TWO_GPUS),  # both would take 0 and 1
        (1, Machine(cores=5), ON_TWO_GPUS),
        (2, Machine(cores=11), Need(threads=3, devices=2)),
    ],
)
def test_a_worker_of_dask_that_has_not_what_several_devices_need_is_refused(
    workers, threads, machine, need
):
    workers(threads, machine)
    with pytest.raises(UsageError) as refused:
        load("dask").Engine(jobs=1, needs={Need(), need}, sender="test")
    message = str(refused.value)
    assert f"takes {threads} jobs at once, and has {machine.cores} cores" in message
    assert "a job with 2 devices (workloads/<name>/params.yaml: settings.devices" in message
    assert "start the worker with --nthreads 1" in message
    assert "CUDA_VISIBLE_DEVICES" in message


@pytest.mark.parametrize(
    ("threads", "machine", "need"),
    [
        (1, Machine(cores=6, gpus=("2", "3")), ON_TWO_GPUS),
        (1, Machine(cores=6), ON_TWO_GPUS),
        (2, Machine(cores=12), Need(threads=3, devices=2)),
        (2, Machine(cores=1, gpus=("0",)), Need(threads=3, gpu=True)),  # of one nothing is asked
    ],
)
def test_control_a_worker_of_dask_that_has_it_is_taken(workers, threads, machine, need):
    workers(threads, machine)
    load("dask").Engine(jobs=1, needs={Need(), need}, sender="test").close()


def test_a_scheduler_that_is_not_there_is_told(tmp_path, here, monkeypatch):
    monkeypatch.setattr(load("dask"), "WAIT_S", 0.5)
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=1)
    with dask.config.set(scheduler_address="tcp://127.0.0.1:1"):
        code, output = here(pipeline, "--engine", "dask")
    assert code == 1
    assert "no Dask scheduler at tcp://127.0.0.1:1" in output
    assert "Traceback" not in output
