"""Parts of the digits' training images, for workloads with few data.

A part reads the files of the whole, has its test images and its pixel statistics, and every k-th
training image of each class.
"""

from dataclasses import replace
from pathlib import Path

from optbench.datasets import digits
from optbench.datasets.images import ImageData, every_kth_of_class


def part_of_digits(root: Path, every: int) -> ImageData:
    """The digits, beside the folder `root`, with every so manieth training image of each class.

    Raises:
        UsageError: a file is missing or damaged.
    """
    whole = digits.load(root.with_name("digits"))
    return replace(whole, train=whole.train.take(every_kth_of_class(whole.train.labels, every)))
