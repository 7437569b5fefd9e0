"""Digits (Alpaydin and Kaynak 1998): 1,797 images of 8 x 8 pixels with values 0 to 16, 10 classes.

It comes inside the scikit-learn wheel, so it needs no network. Every fifth image of each class is
a test image: the data set has no published split.
"""

import io
from pathlib import Path

import numpy as np

from optbench.datasets.images import ImageData, Images, every_kth_of_class
from optbench.datasets.verified import read_verified

# Of sklearn.datasets.load_digits as two NumPy files of uint8, written by digits_sources.py.
SHA256 = {
    "images.npy": "88e52eb3e11cb9cc0130dc8fc4b6256aa919b3275fec17e6c2f880e1ae8d34ae",
    "labels.npy": "03ec0343bca84958ae3df825f252a3680415fa07fccb1ed1125ed521c13169e5",
}
TEST_EVERY = 5
TRAIN_EXAMPLES = 1_442
SIDES = (8, 8)  # height, width
CLASSES = tuple("0123456789")
# Train-set pixel statistics of pixels / 255; recomputed in tests/datasets/test_digits.py.
MEAN = (0.019145777,)
STD = (0.023602042,)


def load(root: Path) -> ImageData:
    """Reads and verifies the two files below `root`.

    Raises:
        UsageError: a file is missing or damaged.
    """
    contents, digest = read_verified(root, SHA256)
    pixels, labels = (
        np.load(io.BytesIO(contents[name]), allow_pickle=False)
        for name in ("images.npy", "labels.npy")
    )
    everything = Images(pixels[..., None], labels.astype(np.int64))  # [n, 8, 8, 1]
    test = every_kth_of_class(everything.labels, TEST_EVERY)
    return ImageData(everything.take(~test), everything.take(test), MEAN, STD, CLASSES, digest)
