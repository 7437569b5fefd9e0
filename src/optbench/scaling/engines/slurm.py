"""Jobs of Slurm, through submitit; sbatch's variables choose partition, account, time, GPUs.

For example SBATCH_PARTITION=gpu SBATCH_GPUS_PER_TASK=1 SBATCH_TIMELIMIT=8:00:00. A job is one task
with the cores of all its devices; where these are GPUs, SBATCH_GPUS_PER_TASK says how many. The
project's folder is on storage that the nodes share. A job that Slurm preempts, or whose time is
over, is queued again by submitit, and goes on from its checkpoint.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Set
from pathlib import Path

from submitit import AutoExecutor
from submitit import Job as Submitted
from submitit.core.job_environment import JobEnvironment
from submitit.core.utils import FailedJobError
from submitit.helpers import DelayedSubmission

from optbench.core.errors import UsageError
from optbench.scaling import job as worker
from optbench.scaling.job import Job
from optbench.scaling.resources import DEVICES, Need

FOLDER = Path("logs/slurm")
# The longest that a job may take where SBATCH_TIMELIMIT does not say; it is queued again then.
TIME_MIN = 24 * 60
# By any of these sbatch asks for the GPUs of a job, which is one task on one node.
GPUS = ("SBATCH_GPUS_PER_TASK", "SBATCH_GPUS_PER_NODE", "SBATCH_GPUS")
NOTICE_S = 90  # Slurm's signal comes this long before the job's time is over
# Slurm sends it to all processes of a job: to trainers, who then keep their step; to the launcher
# of several, which waits for them; to submitit, who queues the job again. Submitit's default, USR2,
# would kill the trainers.
NOTICE = "USR1"
LOOK_EVERY_S = 0.5
ASK_EVERY_S = 5.0  # Slurm, whether it still knows a job
RESULT_WAIT_S = 5.0  # until a shared folder shows the result of a job that has gone


def is_here() -> bool:
    """Whether jobs share this machine's cores and GPUs."""
    return False


def require_gpus(needs: Set[Need]) -> None:
    """Refuses jobs on several GPUs for which sbatch would ask for fewer.

    Where no variable asks for GPUs there may be none, or the cluster gives some by itself.

    Raises:
        UsageError: with what to set.
    """
    most = max([0, *(need.gpus for need in needs)])
    for variable in GPUS:
        stated = os.environ.get(variable)
        if most < 2 or stated is None:
            continue
        counts = re.findall(r"(?:^|[:,])(\d+)(?=,|$)", stated)  # as in 2, or a100:2,v100:1
        if sum(map(int, counts)) < most:
            raise UsageError(
                f"{variable}: got '{stated}', and a job has {most} devices ({DEVICES}): set "
                f"{GPUS[0]}={most}"
            )


class Task:
    """A job as submitit sends it."""

    def __init__(self, job: Job) -> None:
        """`job`: what to carry out."""
        self.job = job

    def __call__(self) -> int:
        """Carries the job out, on the node."""
        return worker.execute(self.job)

    def checkpoint(self) -> DelayedSubmission:
        """Called before Slurm takes the node away: ends the job, to be begun again elsewhere."""
        worker.end(self.job.sender)
        worker.wait(self.job.sender)
        return DelayedSubmission(self)


class Engine:
    """Submits jobs to Slurm, and waits for each."""

    cluster = "slurm"  # tests also take submitit's `local`

    def __init__(self, *, jobs: int, needs: Set[Need], sender: str) -> None:
        """Nothing needs to be started.

        Raises:
            UsageError: Slurm is not there, or gives a job fewer GPUs than it needs.
        """
        if self.cluster == "slurm" and shutil.which("sbatch") is None:
            raise UsageError("engine slurm needs the command sbatch: run this on a login node")
        require_gpus(needs)
        os.environ["SUBMITIT_PREEMPT_SIGNAL"] = NOTICE  # for the nodes
        JobEnvironment.USR_SIG = NOTICE  # for sbatch
        self.lock = threading.Lock()
        self.ended = False
        self.submitted: dict[str, Submitted[int]] = {}
        self.queued: set[str] = set()  # those that Slurm has not yet done with
        self.asked = time.monotonic()
        self.executor = AutoExecutor(folder=FOLDER.absolute(), cluster=self.cluster)
        self.executor.update_parameters(
            name="optbench",
            timeout_min=TIME_MIN,
            slurm_signal_delay_s=NOTICE_S,
        )

    def run(self, job: Job) -> int:
        """Submits a job and waits until it has come to its end."""
        with self.lock:
            if self.ended:
                return 128 + signal.SIGTERM
            submitted = self._submit(job)
            self.submitted[submitted.job_id] = submitted
            self.queued.add(submitted.job_id)
        try:
            return self._wait(submitted)
        finally:
            with self.lock:
                del self.submitted[submitted.job_id]

    def end(self) -> None:
        """Cancels all jobs; Slurm sends SIGTERM, and some time later SIGKILL."""
        with self.lock:
            self.ended = True
            for submitted in self.submitted.values():
                submitted.cancel(check=False)

    def close(self) -> None:
        """Nothing is left."""

    def _submit(self, job: Job) -> Submitted[int]:
        """Queues a job.

        Raises:
            UsageError: Slurm does not take it.
        """
        # Since Slurm 22.05 srun does not take the number of cores over from sbatch.
        srun = [f"--cpus-per-task={job.cores}"]
        self.executor.update_parameters(cpus_per_task=job.cores, slurm_srun_args=srun)
        try:
            return self.executor.submit(Task(job))
        except FailedJobError as error:
            raise UsageError(
                f"Slurm does not take the job: {error}: change sbatch's own variables, SBATCH_..."
            ) from error

    def _wait(self, submitted: Submitted[int]) -> int:
        """Waits for a job; where it goes without a result, its node or process has died."""
        result = submitted.paths.result_pickle
        while not result.exists() and self._is_queued(submitted):
            time.sleep(LOOK_EVERY_S)
        end = time.monotonic() + RESULT_WAIT_S
        while not result.exists():
            if self.ended or time.monotonic() >= end:
                return 128 + signal.SIGKILL
            time.sleep(LOOK_EVERY_S)
        try:
            return submitted.result()
        except FailedJobError as error:
            raise UsageError(
                f"Slurm's job {submitted.job_id} failed: {error}: run the same command to go on"
            ) from error

    def _is_queued(self, submitted: Submitted[int]) -> bool:
        """Whether a job waits or runs. One call of squeue asks for all; sacct may not be set up."""
        if self.cluster != "slurm":
            return not submitted.done()
        with self.lock:
            if time.monotonic() - self.asked >= ASK_EVERY_S:
                command = ["squeue", "--me", "--noheader", "--format=%i"]
                listing = subprocess.run(command, capture_output=True, text=True, check=False)
                if listing.returncode == 0:
                    self.queued = set(listing.stdout.split())
                self.asked = time.monotonic()
            return submitted.job_id in self.queued
