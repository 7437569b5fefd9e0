"""Starts a workload, data set, optimizer or schedule: writes its files, and validates them."""

from collections.abc import Sequence
from pathlib import Path

from optbench.cli.commands import hand_over

TEXT = "Writes the files of an addition, and validates them."
KINDS = {
    "workload": "a room of workloads/ like another, in which to change what differs",
    "dataset": "a data set among those that are obtained",
    "optimizer": "a wrapper of any torch optimizer, with rows in params.yaml",
    "schedule": "a schedule that starts as a linear decay",
}


def run(arguments: Sequence[str], standing: Path) -> int:
    """Hands over to `new_<kind>.py`."""
    return hand_over(
        arguments, standing, prog="optbench new", text=TEXT, commands=KINDS, prefix="new_"
    )
