"""Which examples of a training set are held out, by arithmetic: no list of them is ever made.

As `datasets.images.every_kth_of_class` has it, for examples of which those of a class stand
together.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from optbench.core.random_access import Positions

Examples = Callable[[Positions], Positions]  # the ids of a part's examples, by position in it


def whole(positions: Positions) -> Positions:
    """The examples of a part that is all."""
    return positions


def held_out(counts: NDArray[np.int64], k: int) -> tuple[int, Examples]:
    """Each class's k-th, 2k-th, ... example: how many, and which.

    Args:
        counts: the examples of each class, [classes].
        k: at least 2.
    """
    starts = _starts(counts)
    begins = _starts(counts // k)

    def examples(positions: Positions) -> Positions:
        classes = np.searchsorted(begins, positions, side="right") - 1
        within = positions - begins[classes]
        ids: Positions = starts[classes] + within * k + k - 1
        return ids

    return int(begins[-1]), examples


def kept(counts: NDArray[np.int64], k: int) -> tuple[int, Examples]:
    """All others than `held_out` gives: how many, and which."""
    starts = _starts(counts)
    begins = _starts(counts - counts // k)

    def examples(positions: Positions) -> Positions:
        classes = np.searchsorted(begins, positions, side="right") - 1
        within = positions - begins[classes]
        ids: Positions = starts[classes] + within + within // (k - 1)
        return ids

    return int(begins[-1]), examples


def _starts(counts: NDArray[np.int64]) -> Positions:
    """Where each class begins, and where the last ends; [classes + 1]."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
