"""What is known of each file of a large set of images: its label, length, sha256, and oddities.

One file stands for a million others: DVC depends on it, its digest is the data's, and what is read
later is held against it. It says nothing of where the files lie, so that it is the same for an
archive and for a folder tree.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optbench.core.errors import UsageError

MANIFEST = "manifest.npy"
NAME = np.dtype("S48")
# A row is an example; the training set stands before the validation set, each sorted by name.
ROW = np.dtype([
    ("split", "u1"),  # 0: train, 1: val
    ("name", NAME),  # of class and file, as `n01440764/n01440764_18.JPEG`
    ("label", "<u2"),  # the rank of its class
    ("length", "<u4"),  # bytes
    ("sha256", "u1", (32,)),
    ("oddities", "u1"),  # as image_decoder.ODDITIES
])  # fmt: skip

Rows = NDArray[np.void]


@dataclass(frozen=True)
class Manifest:
    """Rows of shape [n], and the sha256 of their file."""

    rows: Rows
    digest: str

    def first(self, split: int) -> int:
        """The row where a split begins."""
        return int(np.searchsorted(self.rows["split"], split))

    def of(self, split: int) -> Rows:
        """The rows of a split."""
        return self.rows[self.first(split) : self.first(split + 1)]


def read_manifest(path: Path, way_out: str) -> Manifest:
    """A manifest, mapped into memory.

    Raises:
        UsageError: it is missing or damaged.
    """
    if not path.is_file():
        raise UsageError(f"{path} is missing: {way_out}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Manifest(mapped(path, ROW, way_out), digest)


def mapped(path: Path, kind: np.dtype[np.void], way_out: str) -> NDArray[np.void]:
    """A NumPy file of some kind of rows, mapped into memory.

    Raises:
        UsageError: it is damaged, or holds something else.
    """
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} is damaged ({error}): remove it, then {way_out}") from error
    if rows.dtype != kind or rows.ndim != 1:
        raise UsageError(f"{path} holds other columns than expected: remove it, then {way_out}")
    return np.asarray(rows)


def to_npy(rows: NDArray[np.void]) -> bytes:
    """Rows as the bytes of a NumPy file, without pickle."""
    file = io.BytesIO()
    np.save(file, rows, allow_pickle=False)
    return file.getvalue()
