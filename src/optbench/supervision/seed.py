"""The seed of the cell that a stage trains."""

import os

from optbench.core.errors import UsageError


def seed_of(argument: str | None) -> int:
    """The seed that is given, else the end of the name that DVC has for the stage.

    So it does not pass through the shell, which would carry out what might stand in it.

    Raises:
        UsageError: there is none, or it is no whole number.
    """
    text = argument or os.environ.get("DVC_STAGE", "").rpartition("-")[2]
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"seed: got {text!r}: must be a whole number, behind the name of the arm")
    return int(text)
