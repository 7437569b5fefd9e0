"""The number of the study that a stage carries out."""

import os

from optbench.core.errors import UsageError


def number_of(argument: str | None) -> int:
    """The number that is given, else the end of the name that DVC has for the stage.

    So it does not pass through the shell, which would carry out what might stand in it.

    Raises:
        UsageError: there is none, or it is no whole number.
    """
    text = argument or os.environ.get("DVC_STAGE", "").rpartition("-")[2]
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"study: got {text!r}: must be a whole number, behind the name of the arm")
    return int(text)
