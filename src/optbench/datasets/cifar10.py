"""CIFAR-10 (Krizhevsky 2009): 60,000 colour images of 32 x 32 pixels in 10 classes.

Stored as the data set's binary version: six files of 10,000 records, each one label byte and
3,072 pixel bytes, channel first.
"""

from pathlib import Path

import numpy as np

from optbench.datasets.images import ImageData, Images
from optbench.datasets.verified import read_verified

# Of the members of the official cifar-10-binary.tar.gz.
SHA256 = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
TEST = "test_batch.bin"
SIDE = 32
PIXEL_BYTES = 3 * SIDE * SIDE
RECORDS_PER_FILE = 10_000
TRAIN_EXAMPLES = 50_000
SIDES = (32, 32)  # height, width
FILE_BYTES = RECORDS_PER_FILE * (1 + PIXEL_BYTES)
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
# Train-set pixel statistics; recomputed in tests/datasets/test_cifar10.py.
MEAN = (0.49139968, 0.48215841, 0.44653091)
STD = (0.24703223, 0.24348513, 0.26158784)


def load(root: Path) -> ImageData:
    """Reads and verifies the six files below `root`.

    Raises:
        UsageError: a file is missing or damaged.
    """
    contents, digest = read_verified(root, SHA256)
    test = decode(contents.pop(TEST))
    train = decode(b"".join(contents[name] for name in sorted(contents)))
    return ImageData(train, test, MEAN, STD, CLASSES, digest)


def decode(records: bytes) -> Images:
    """Images of shape [n, 32, 32, 3] from n records of the binary version."""
    rows = np.frombuffer(records, dtype=np.uint8).reshape(-1, 1 + PIXEL_BYTES)
    planes = rows[:, 1:].reshape(-1, 3, SIDE, SIDE)
    pixels = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))  # [n, h, w, 3]
    return Images(pixels, rows[:, 0].astype(np.int64))
