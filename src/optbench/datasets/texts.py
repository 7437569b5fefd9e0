"""Texts to learn from, and the vocabulary of pieces that they are cut into.

A piece is a byte of UTF-8 or a frequent word, with the blank before it where it has one. A word
that is no piece is spelled in bytes, so every text can be encoded, and is given back unchanged.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]

BYTES = 256  # the first tokens
END = BYTES  # the token after them: it stands between two texts, and in none
PARTS = re.compile(r" ?[A-Za-z']+|[^A-Za-z']")  # words, and what stands between: one character each
ENCODING = ("utf-8", "surrogatepass")  # so that any string of Python has one


@dataclass(frozen=True)
class Vocabulary:
    """Tokens from 0: the bytes, the end of a text, then `words`."""

    words: tuple[str, ...]

    def __len__(self) -> int:
        """The number of tokens."""
        return END + 1 + len(self.words)

    @cached_property
    def tokens(self) -> dict[str, int]:
        """The words' tokens."""
        return {word: END + 1 + index for index, word in enumerate(self.words)}

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """What each token stands for; nothing, at the end of a text."""
        single = (bytes([value]) for value in range(BYTES))
        return (*single, b"", *(word.encode(*ENCODING) for word in self.words))

    @cached_property
    def characters(self) -> Tokens:
        """How many characters begin in each token, [tokens]: in a text's tokens, all of its."""
        return np.array([sum(byte & 0xC0 != 0x80 for byte in piece) for piece in self.pieces])

    def encode(self, text: str) -> Tokens:
        """A text's tokens, [n]."""
        tokens: list[int] = []
        for part in PARTS.findall(text):
            token = self.tokens.get(part)
            if token is None:
                tokens.extend(part.encode(*ENCODING))
            else:
                tokens.append(token)
        return np.array(tokens, dtype=np.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; bytes that are no UTF-8 become marks of replacement."""
        content = b"".join(self.pieces[token] for token in tokens)
        try:
            return content.decode(*ENCODING)
        except UnicodeDecodeError:
            return content.decode("utf-8", "replace")


def vocabulary_of(texts: Iterable[str], size: int) -> Vocabulary:
    """Of that many tokens, or fewer: the most frequent words; of as frequent ones, by alphabet."""
    counts = Counter(part for text in texts for part in PARTS.findall(text) if len(part) > 1)
    by_frequency = sorted(counts, key=lambda word: (-counts[word], word))
    return Vocabulary(tuple(by_frequency[: size - END - 1]))


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
