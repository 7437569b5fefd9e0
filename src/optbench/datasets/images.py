"""Image data sets that fit into memory, and the split that keeps choices away from the test set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def with_statistics(
    train: Images, test: Images, *, classes: tuple[str, ...], digest: str
) -> ImageData:
    """A data set whose mean and std are computed from its training images."""
    pixels = train.pixels.reshape(-1, train.pixels.shape[-1]) / 255  # [pixels, channels]
    mean, std = (tuple(map(float, values)) for values in (pixels.mean(axis=0), pixels.std(axis=0)))
    return ImageData(train, test, mean, std, classes, digest)
