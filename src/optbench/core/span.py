"""The numbers of studies that a stage carries out together."""

import re
from dataclasses import dataclass
from pathlib import Path

FORM = re.compile(r"(0|[1-9][0-9]{0,3})(?:-([1-9][0-9]{0,3}))?")


@dataclass(frozen=True, order=True)
class Span:
    """Studies from the first to the last, for example 0-9; or a single one, as in 3."""

    first: int
    last: int

    def __str__(self) -> str:
        """As params.yaml, stages and folders have it."""
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def numbers(self) -> range:
        """Of its studies."""
        return range(self.first, self.last + 1)

    @classmethod
    def of(cls, text: str) -> "Span":
        """The inverse of `str`.

        Raises:
            ValueError: the text has another form, or ends before it begins; says what it must be.
        """
        match = FORM.fullmatch(text)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if last < first or str(cls(first, last)) != text:
            raise ValueError("must be a whole number or a range of them, as in 0-9")
        return cls(first, last)

    def folder(self, arm: str) -> Path:
        """Of an arm's studies, by its key, below `results/<workload>/`; each has one within."""
        return Path("suite") / f"{arm}-{self}"
