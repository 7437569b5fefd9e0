"""Texts to learn from, and the vocabulary of pieces that they are cut into.

Byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909) of the bytes of UTF-8 (Radford et al.
2019, GPT-2), so that every text can be encoded, and is given back unchanged.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]

BYTES = 256  # the first tokens
END = BYTES  # the token after them: it stands between two texts, and in none
# Words, each with the blank before it, and what stands between. No piece reaches beyond one.
PARTS = re.compile(r" ?[A-Za-z']+|[^A-Za-z' ]+| ")
ENCODING = ("utf-8", "surrogatepass")  # so that any string of Python has one


@dataclass(frozen=True)
class Vocabulary:
    """Tokens from 0: the bytes, the end of a text, then pieces, the first merged first."""

    merged: tuple[bytes, ...]
    _known: dict[str, list[int]] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        """The number of tokens."""
        return END + 1 + len(self.merged)

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """What each token stands for; nothing, at the end of a text."""
        return (*_single(bytes(range(BYTES))), b"", *self.merged)

    @cached_property
    def _tokens(self) -> dict[bytes, int]:
        """The tokens of pieces."""
        return {piece: token for token, piece in enumerate(self.pieces)}

    @cached_property
    def characters(self) -> Tokens:
        """How many characters begin in each token, [tokens]: in a text's tokens, all of its."""
        return np.array([sum(byte & 0xC0 != 0x80 for byte in piece) for piece in self.pieces])

    def encode(self, text: str) -> Tokens:
        """A text's tokens, [n]."""
        tokens: list[int] = []
        for part in PARTS.findall(text):
            if part not in self._known:
                self._known[part] = self._spell(part)
            tokens.extend(self._known[part])
        return np.array(tokens, dtype=np.int64)

    def _spell(self, part: str) -> list[int]:
        """The tokens of a part: of two neighbours that make a piece, the earliest are merged."""
        pieces = _single(part.encode(*ENCODING))
        none = len(self)
        while len(pieces) > 1:
            made = [self._tokens.get(a + b, none) for a, b in pairwise(pieces)]
            if (first := min(made)) == none:
                break
            place = made.index(first)
            pieces[place : place + 2] = [self.pieces[first]]
        return [self._tokens[piece] for piece in pieces]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; bytes that are no UTF-8 become marks of replacement."""
        content = b"".join(self.pieces[token] for token in tokens)
        try:
            return content.decode(*ENCODING)
        except UnicodeDecodeError:
            return content.decode("utf-8", "replace")


def vocabulary_of(texts: Iterable[str], size: int) -> Vocabulary:
    """Of that many tokens, or fewer where nothing is left to merge.

    Over and over, the two neighbours that stand together most often become a piece; of as frequent
    ones, the last by alphabet.
    """
    counts = Counter(part for text in texts for part in PARTS.findall(text))
    spelled = {part: _single(part.encode(*ENCODING)) for part in counts}
    frequency: Counter[tuple[bytes, bytes]] = Counter()  # of neighbours
    holders: defaultdict[tuple[bytes, bytes], set[str]] = defaultdict(set)  # parts with them

    def count(part: str, sign: int) -> None:
        for pair in pairwise(spelled[part]):
            frequency[pair] += sign * counts[part]
            holders[pair].add(part)

    for part in spelled:
        count(part, 1)
    merged: list[bytes] = []
    while len(merged) < size - END - 1 and (most := max(frequency.values(), default=0)) > 1:
        pair = max(pair for pair, times in frequency.items() if times == most)
        merged.append(pair[0] + pair[1])
        for part in holders.pop(pair):
            count(part, -1)
            spelled[part] = _merge(spelled[part], pair)
            count(part, 1)
        del frequency[pair]
    return Vocabulary(tuple(merged))


def _merge(pieces: Sequence[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    """Pieces with each such pair in one, from the left."""
    result: list[bytes] = []
    for piece in pieces:
        if result and (result[-1], piece) == pair:
            result[-1] += piece
        else:
            result.append(piece)
    return result


def _single(content: bytes) -> list[bytes]:
    """Bytes, each by itself."""
    return [bytes([byte]) for byte in content]


@dataclass(frozen=True)
class TextData:
    """A verified data set. The vocabulary is made of the training texts alone."""

    train: Sequence[str]
    validation: Sequence[str]
    test: Sequence[str]
    vocabulary: Vocabulary
    digest: str  # sha256 over the files' sha256, in the order of their names


def to_json(value: object) -> bytes:
    """JSON in one form, so that its sha256 is fixed: an entry a line, keys in their order."""
    return f"{json.dumps(value, ensure_ascii=False, indent=0)}\n".encode()


def vocabulary_to_json(vocabulary: Vocabulary) -> bytes:
    """A list of the pieces that are merged, each byte as the character of its number."""
    return to_json([piece.decode("latin-1") for piece in vocabulary.merged])


def vocabulary_from_json(content: bytes) -> Vocabulary:
    """The inverse of `vocabulary_to_json`, of a file that is verified."""
    return Vocabulary(tuple(piece.encode("latin-1") for piece in json.loads(content)))
