"""Sentences that name arms: as text where it is read, with links where they can be followed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from optbench.core.arm import Arm


@dataclass(frozen=True)
class Mention:
    """An arm of a workload, in a sentence: whoever writes it may link the arm to its studies."""

    workload: str
    arm: Arm

    def __str__(self) -> str:
        """The arm as people read it."""
        return str(self.arm)


class Prose(tuple[str | Mention, ...]):
    """Pieces of text and mentions of arms, in their order; `str` gives it as plain text."""

    __slots__ = ()

    @classmethod
    def of(cls, *parts: "str | Mention | Prose") -> "Prose":
        """From pieces, mentions, and prose, whose pieces are taken over."""
        return cls(piece for part in parts for piece in _pieces(part))

    @classmethod
    def join(cls, separator: str, parts: "Iterable[str | Mention | Prose]") -> "Prose":
        """With a separator between parts."""
        joined: list[str | Mention] = []
        for index, part in enumerate(parts):
            if index:
                joined.append(separator)
            joined.extend(_pieces(part))
        return cls(joined)

    def __str__(self) -> str:
        """Plain text."""
        return "".join(map(str, self))

    def written(self, text: Callable[[str], str], mention: Callable[[Mention], str]) -> str:
        """In a format: `text` escapes a piece, `mention` writes a link."""
        return "".join(mention(p) if isinstance(p, Mention) else text(p) for p in self)


def _pieces(part: str | Mention | Prose) -> Iterable[str | Mention]:
    """What a part is made of."""
    return part if isinstance(part, Prose) else (part,)
