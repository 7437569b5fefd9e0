"""Starts a stage's command once for each device, and ends as the first process that failed.

The processes are torchrun's, whose agent watches them: when one ends before its time, the others
are ended. On several machines the command is started on each, and torchrun's own variables say how
many they are (PET_NNODES), where they meet (PET_RDZV_ENDPOINT, HOST:PORT of one of them), and how
they call it (PET_RDZV_ID).
"""

import logging
import os
import sys
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from optbench.core.errors import UsageError
from optbench.supervision.process import PEER_LOST
from optbench.supervision.signals import EXIT_CODES

MACHINES, MEETING_PLACE, MEETING = "PET_NNODES", "PET_RDZV_ENDPOINT", "PET_RDZV_ID"
GRACE_S = 30  # for processes that are asked to end


def launch(processes: int) -> None:
    """Runs this very command in so many processes on all machines, to their end.

    Raises:
        UsageError: they cannot be shared out to the machines; or what the first that failed had to
            say.
        SystemExit: they were asked to end; with the code for it.
    """
    machines = machines_of(os.environ.get(MACHINES, "1"), processes)
    os.environ.setdefault(
        "TORCH_CPP_LOG_LEVEL", "ERROR"
    )  # else each process warns of what was chosen
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="optbench-") as folder:
        config = LaunchConfig(
            min_nodes=machines,
            max_nodes=machines,
            nproc_per_node=processes // machines,
            run_id=os.environ.get(MEETING, uuid.uuid4().hex),
            rdzv_backend="c10d",
            rdzv_endpoint=os.environ.get(MEETING_PLACE, "localhost:0"),
            local_addr="localhost" if machines == 1 else None,
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
            signals_to_handle=",".join(number.name for number in EXIT_CODES),
            shutdown_timeout=GRACE_S,
        )
        try:
            elastic_launch(config, sys.executable)(*sys.argv)
        except SignalException as error:
            sys.exit(EXIT_CODES[error.sigval])
        except ChildFailedError as error:
            raise_for(error.failures, processes)


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


def raise_for(failures: Mapping[int, ProcessFailure], processes: int) -> None:
    """Ends as the process ended that was the first to fail, of those that failed by themselves.

    Raises:
        UsageError: with its message, or the signal that killed it.
        SystemExit: it has said itself what was wrong.
    """
    by_themselves = {number: f for number, f in failures.items() if f.exitcode != PEER_LOST}
    candidates = by_themselves or failures
    number, first = min(candidates.items(), key=lambda item: item[1].timestamp)
    if first.exitcode < 0:
        raise UsageError(
            f"the process of device {number} of {processes} was killed by {first.signal_name()}, "
            "perhaps for its memory: the others were ended; run the same command to go on from the "
            "last checkpoint"
        )
    if not isinstance(first.message, str) or not Path(first.error_file).is_file():
        sys.exit(first.exitcode)
    error = UsageError(first.message)
    error.exit_code = first.exitcode
    raise error
