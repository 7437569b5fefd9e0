"""Starts a workload, data set, optimizer, schedule or post: writes files, and validates them."""

from collections.abc import Sequence
from pathlib import Path

from optbench.cli.commands import hand_over

TEXT = "Writes the files of an addition, and validates them."
KINDS = {
    "workload": "a room of workloads/ like another, in which to change what differs",
    "dataset": "a data set among those that are obtained",
    "optimizer": "a wrapper of any torch optimizer, with rows in params.yaml",
    "schedule": "a schedule that starts as a linear decay",
    "post": "a folder of posts/ with claims to be judged on a page of its own",
}


def run(arguments: Sequence[str], standing: Path) -> int:
    """Hands over to `new_<kind>.py`."""
    return hand_over(
        arguments, standing, prog="optbench new", text=TEXT, commands=KINDS, prefix="new_"
    )
