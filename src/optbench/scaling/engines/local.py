"""Processes of this machine."""

from collections.abc import Set

from optbench.scaling import job as worker
from optbench.scaling.job import Job
from optbench.scaling.resources import Need


def is_here() -> bool:
    """Whether jobs share this machine's cores and GPUs."""
    return True


class Engine:
    """Carries out jobs as children of this process."""

    def __init__(self, *, jobs: int, needs: Set[Need], sender: str) -> None:
        """Nothing needs to be started."""
        self.sender = sender

    def run(self, job: Job) -> int:
        """Carries out a job."""
        return worker.execute(job)

    def end(self) -> None:
        """Asks all jobs to end."""
        worker.end(self.sender)

    def close(self) -> None:
        """Nothing is left."""
