"""Why a source of a data set failed: four kinds, so that a person knows what to do about it."""

from optbench.core.errors import UsageError


class SourceError(UsageError):
    """A source gave no usable data; nothing of it was published."""

    kind = ""

    def described(self) -> str:
        """The message with its kind in front."""
        return f"{self.kind}: {self}" if self.kind else str(self)


class Offline(SourceError):
    """The source cannot be reached: no network, no such host, no answer in time."""

    kind = "offline"


class Refused(SourceError):
    """The source answers, and will not give the data."""

    kind = "refused"


class Truncated(SourceError):
    """The data ended early; what came is kept where it can be resumed."""

    kind = "truncated"


class WrongContent(SourceError):
    """The data is not the data set: damaged, or something else."""

    kind = "wrong content"
