"""Starts a stage's command once for each device.

On several machines the command is started on each, and torchrun's variables say how many they
are (PET_NNODES), where they meet (PET_RDZV_ENDPOINT, HOST:PORT of one of them), and how they call
it (PET_RDZV_ID).
"""

import os
import sys
import uuid

from optbench.core.errors import UsageError

# It must be loaded before torch is, which the next one imports.
from optbench.supervision import process  # noqa: F401
from optbench.supervision.torchrun import run

MACHINES, MEETING_PLACE, MEETING = "PET_NNODES", "PET_RDZV_ENDPOINT", "PET_RDZV_ID"


def launch(processes: int) -> None:
    """Runs this very command in so many processes on all machines, to their end.

    Raises:
        UsageError: they cannot be shared out to the machines; or what the first that failed had to
            say.
        SystemExit: they were asked to end; with the code for it.
    """
    run(
        sys.argv,
        processes=processes,
        machines=machines_of(os.environ.get(MACHINES, "1"), processes),
        place=os.environ.get(MEETING_PLACE, "localhost:0"),
        name=os.environ.get(MEETING, uuid.uuid4().hex),
    )


def machines_of(stated: str, processes: int) -> int:
    """How many machines share the processes.

    Raises:
        UsageError: it is no number of them that each has as many processes.
    """
    machines = int(stated) if stated.isdecimal() else 0
    if not machines or processes % machines:
        raise UsageError(
            f"{MACHINES}: got '{stated}' with {processes} devices: must be a number of machines "
            "that each has as many of them"
        )
    if machines > 1 and not {MEETING_PLACE, MEETING} <= set(os.environ):
        raise UsageError(
            f"{MACHINES}: got '{stated}': set {MEETING_PLACE} to HOST:PORT of one of the machines, "
            f"and {MEETING} to any name, the same on all of them"
        )
    return machines
