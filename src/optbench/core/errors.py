"""The errors that are shown to a person as their message alone."""


class UsageError(ValueError):
    """Something that the user can mend: the message says what, where, and how."""

    exit_code = 1


class NumericalError(UsageError):
    """A computation went wrong in its numbers: other hyper-parameters may mend it."""


class Busy(UsageError):
    """Another process does the same work; sysexits' EX_TEMPFAIL."""

    exit_code = 75
