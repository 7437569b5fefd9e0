"""A quarter of the digits' training images."""

from pathlib import Path

from optbench.datasets.digits_parts import part_of_digits
from optbench.datasets.images import ImageData

TRAIN_EXAMPLES = 357
SIDES = (8, 8)


def load(root: Path) -> ImageData:
    """Reads and verifies the digits beside `root`.

    Raises:
        UsageError: a file is missing or damaged.
    """
    return part_of_digits(root, 4)
