"""The numbers of the studies that a stage carries out."""

import os

from optbench.core.errors import UsageError
from optbench.core.span import Span


def span_of(argument: str | None, arm: str) -> Span:
    """The span that is given, else what follows the arm in the name that DVC has for the stage.

    So it does not pass through the shell, which would carry out what might stand in it.

    Raises:
        UsageError: there is none, or it is no span.
    """
    stage = os.environ.get("DVC_STAGE", "").rpartition("@")[2]
    text = stage.removeprefix(f"{arm}-") if argument is None else argument
    try:
        return Span.of(text)
    except ValueError as error:
        raise UsageError(f"studies: got {text!r}: {error}, behind the name of the arm") from error
