"""Image data sets that fit into memory, and the split that keeps choices away from the test set."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optbench.core.errors import UsageError

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """Labelled images: pixels of shape [n, height, width, channels], labels of shape [n]."""

    pixels: Pixels
    labels: Labels

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.labels)

    def take(self, where: NDArray[np.bool_]) -> "Images":
        """The examples at which a mask of shape [n] holds."""
        return Images(self.pixels[where], self.labels[where])


@dataclass(frozen=True)
class ImageData:
    """A verified data set. `mean` and `std` are the train set's, per channel, of pixels / 255."""

    train: Images
    test: Images
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    digest: str  # sha256 over the files' sha256, in the order of their names


def every_kth_of_class(labels: Labels, k: int) -> NDArray[np.bool_]:
    """A mask that marks each class's k-th, 2k-th, ... example in the order they stand.

    The split is stratified, fixed, and needs no random numbers.
    """
    mask = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        mask[np.flatnonzero(labels == label)[k - 1 :: k]] = True
    return mask


def read_verified(root: Path, sha256: Mapping[str, str]) -> tuple[dict[str, bytes], str]:
    """Reads files, each checked against its sha256, and returns them with their common digest.

    Raises:
        UsageError: a file is missing or its content is not the expected one.
    """
    contents: dict[str, bytes] = {}
    for name, expected in sha256.items():
        path, way_out = root / name, f"run `dvc repro data/dvc.yaml:download@{root.name}`"
        if not path.is_file():
            raise UsageError(f"{path} is missing: {way_out}")
        contents[name] = path.read_bytes()
        actual = hashlib.sha256(contents[name]).hexdigest()
        if actual != expected:
            raise UsageError(
                f"{path} is damaged: sha256 is {actual}, expected {expected}. Remove {root}, then "
                f"{way_out}"
            )
    listing = "".join(f"{sha256[name]}  {name}\n" for name in sorted(sha256))
    return contents, hashlib.sha256(listing.encode()).hexdigest()
