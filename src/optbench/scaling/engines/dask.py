"""Workers of Dask distributed: those of DASK_SCHEDULER_ADDRESS, or else a cluster started here.

Workers see the project's folder under the same path, and are started there with PYTHONPATH=src,
one thread a job. Dask itself gives the job of a worker that dies to another one. Which of a
worker's GPUs its jobs use, Dask does not say: a worker for jobs on several GPUs has one thread, and
its GPUs by CUDA_VISIBLE_DEVICES.
"""

import signal
from collections.abc import Iterator, Set
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, wait

from optbench.core.errors import UsageError
from optbench.scaling import job as worker
from optbench.scaling.job import Job
from optbench.scaling.resources import DEVICES, GPUS_VARIABLE, Machine, Need, this_machine

WAIT_S = 10


def address() -> str | None:
    """The scheduler that Dask's settings name."""
    named: str | None = dask.config.get("scheduler-address", None)
    return named


def is_here() -> bool:
    """Whether jobs share this machine's cores and GPUs."""
    return address() is None


class Engine:
    """Sends jobs to Dask's workers."""

    def __init__(self, *, jobs: int, needs: Set[Need], sender: str) -> None:
        """Connects, and makes sure that each worker can carry out a job.

        Raises:
            UsageError: there is no scheduler, there are too few workers, or one lacks the project.
        """
        self.sender = sender
        self.cluster = None
        self.futures: set[Future[int]] = set()
        if is_here():
            with _ignoring(signal.SIGINT):  # Ctrl-C is for this process alone
                self.cluster = LocalCluster(
                    n_workers=jobs, threads_per_worker=1, dashboard_address=None, memory_limit=None
                )
        try:
            self.client = Client(self.cluster or address(), timeout=WAIT_S)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"no Dask scheduler at {address()}: {error}: start one there, or name another in "
                "DASK_SCHEDULER_ADDRESS"
            ) from error
        try:
            self._require(jobs)
            if self.cluster is None:
                self._require_devices(needs)
        except BaseException:
            self.close()
            raise

    def run(self, job: Job) -> int:
        """Carries out a job; Dask tries it again where its worker dies, but not for ever.

        Raises:
            UsageError: it has killed as many workers as Dask allows.
        """
        future = self.client.submit(worker.execute, job, pure=False)
        self.futures.add(future)
        try:
            return int(future.result())
        except KilledWorker as error:
            raise UsageError(
                f"Dask gives up after the death of {error.allowed_failures + 1} of its workers, "
                f"the last one {error.last_worker.address}: see the workers' own logs, "
                "and run the same command to go on"
            ) from None  # the cause would be printed too, and says the same
        except CancelledError:
            return 128 + signal.SIGTERM
        finally:
            self.futures.discard(future)

    def end(self) -> None:
        """Asks all jobs to end, and gives up those that do not, or that wait for a worker."""
        self.client.run(worker.end, self.sender, on_error="ignore")
        with suppress(TimeoutError):
            wait(list(self.futures), timeout=worker.GRACE_S)
        self.client.cancel(list(self.futures))

    def close(self) -> None:
        """Leaves the scheduler; a cluster started here ends."""
        self.client.close()
        if self.cluster is not None:
            self.cluster.close()

    def _require(self, jobs: int) -> None:
        """Makes sure of the workers.

        Raises:
            UsageError: what is wrong with them.
        """
        threads = sum(self.client.nthreads().values())
        if jobs > threads:
            raise UsageError(
                f"--jobs {jobs}: Dask's workers have {threads} threads: start more workers, or "
                f"take --jobs {max(threads, 1)}"
            )
        folder = str(Path.cwd())
        for name, answer in self.client.run(worker.sees, folder, on_error="return").items():
            if answer is not True:
                reason = answer or f"{folder} is not there"
                raise UsageError(
                    f"Dask's worker {name} cannot carry out a job: {reason}; start it in the "
                    "project's folder, on shared storage, with PYTHONPATH=src"
                )

    def _require_devices(self, needs: Set[Need]) -> None:
        """Makes sure that each worker has what a job on several devices needs.

        Raises:
            UsageError: one has less, or its jobs would use the same GPUs.
        """
        threads = self.client.nthreads()
        machines: dict[str, Machine] = self.client.run(this_machine)
        for (name, here), need in product(machines.items(), needs):
            jobs, gpus = threads[name], need.gpus if here.gpus else 0
            has_room = jobs * need.cores <= here.cores and gpus <= len(here.gpus)
            if need.devices == 1 or (has_room and (jobs == 1 or not gpus)):
                continue
            raise UsageError(
                f"Dask's worker {name} takes {jobs} jobs at once, and has {here.cores} cores and "
                f"{len(here.gpus)} GPUs; a job with {need.devices} devices ({DEVICES}) needs "
                f"{need.cores} cores and, on GPUs, {need.devices} of them: start the worker with "
                f"--nthreads 1 where they are, {GPUS_VARIABLE} naming GPUs that no other one has"
            )


@contextmanager
def _ignoring(number: signal.Signals) -> Iterator[None]:
    """Ignores a signal, here and in the processes that are started meanwhile."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)
