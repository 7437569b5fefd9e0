"""Processes that know each other, started by torchrun's agent, which watches them.

When one ends before its time, the others are ended, and the first that failed has the word.
"""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from optbench.core.errors import UsageError
from optbench.supervision.process import PEER_LOST
from optbench.supervision.signals import EXIT_CODES, is_kept_away

GRACE_S = 120  # for processes that are asked to end; after a failure torch gives them 30
# Exit codes of those that end since another has: the agent sends them SIGTERM.
FOLLOWERS = (PEER_LOST, -signal.SIGTERM, EXIT_CODES[signal.SIGTERM])


def run(script: Sequence[str], *, processes: int, machines: int, place: str, name: str) -> None:
    """Runs a script in so many processes on all machines, to their end.

    Args:
        script: its file and its arguments.
        processes: on all machines.
        machines: each has as many processes.
        place: HOST:PORT of the machine where they meet.
        name: of the meeting.

    Raises:
        UsageError: what the first that failed had to say.
        SystemExit: they were asked to end; with the code for it.
    """
    # Else each process warns of what was chosen.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    if machines > 1:
        print(f"waiting for {machines} machines at {place}, ten minutes at most", flush=True)
    with tempfile.TemporaryDirectory(prefix="optbench-") as folder:
        config = LaunchConfig(
            min_nodes=machines,
            max_nodes=machines,
            nproc_per_node=processes // machines,
            run_id=name,
            rdzv_backend="c10d",
            rdzv_endpoint=place,
            local_addr="localhost" if machines == 1 else None,
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
            signals_to_handle=",".join(n.name for n in EXIT_CODES if not is_kept_away(n)),
            shutdown_timeout=GRACE_S,
        )
        try:
            elastic_launch(config, sys.executable)(*script)
        except SignalException as error:
            sys.exit(EXIT_CODES[error.sigval])
        except ChildFailedError as error:
            raise_for(error.failures, processes)
        except RendezvousError as error:
            raise UsageError(
                f"the {machines} machines of this run have not met at {place} under the name "
                f"'{name}': start the same command on all of them within ten minutes, with a name "
                f"that no meeting had before ({error})"
            ) from error


def raise_for(failures: Mapping[int, ProcessFailure], processes: int) -> None:
    """Ends as the process ended that was the first to fail, of those that failed by themselves.

    Raises:
        UsageError: with its message, or the signal that killed it.
        SystemExit: it has said itself what was wrong.
    """
    by_themselves = {number: f for number, f in failures.items() if f.exitcode not in FOLLOWERS}
    candidates = by_themselves or failures
    number, first = min(candidates.items(), key=lambda item: item[1].timestamp)
    if first.exitcode < 0:
        raise UsageError(
            f"the process of device {number} of {processes} was killed by {first.signal_name()}"
            f"{', perhaps for its memory' if -first.exitcode == signal.SIGKILL else ''}: the "
            "others were ended; run the same command to go on from the "
            "last checkpoint"
        )
    if not isinstance(first.message, str) or not Path(first.error_file).is_file():
        sys.exit(first.exitcode)
    error = UsageError(first.message)
    error.exit_code = first.exitcode
    raise error
