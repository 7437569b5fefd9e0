"""The error that is shown to a person as its message alone."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UsageError(ValueError):
    """Something that the user can mend: the message says what, where, and how."""


class NumericalError(UsageError):
    """A computation went wrong in its numbers: other hyper-parameters may mend it."""


@contextmanager
def plainly_told() -> Iterator[None]:
    """Ends the program with a UsageError's message, without a traceback."""
    try:
        yield
    except UsageError as error:
        sys.exit(str(error))
