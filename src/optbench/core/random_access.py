"""Random numbers and orders at single positions: nothing of a data set's length is ever made.

`shuffled` is the swap-or-not shuffle (Hoang, Morris and Rogaway 2012, "An enciphering scheme based
on a card shuffle", figure 1), whose rounds each pair all positions and swap every pair or not, for
any number of positions; its round function is SplitMix64. A Feistel network with cycle walking was
left out: of few positions, it gives even permutations more often than odd ones, however many its
rounds.
"""

import numpy as np
from numpy.typing import NDArray

from optbench.core.randomness import Words, integers, words, words_at

ROUNDS = 90  # the paper's bound is in 6 log2(count); these suffice for millions of positions
WORD_BITS = 64
MANTISSA_BITS = 53  # of a float64

Positions = NDArray[np.int64]


def uniforms(bits: Words) -> NDArray[np.float64]:
    """Numbers in [0, 1) from the upper 53 bits of each word."""
    upper = (bits >> np.uint64(WORD_BITS - MANTISSA_BITS)).astype(np.float64)
    return upper * 2.0**-MANTISSA_BITS


def shuffled(positions: Positions, count: int, *, stream: int) -> Positions:
    """What stands at some positions of a permutation of [0, count).

    Args:
        positions: in [0, count), [n].
        count: the length of the permutation.
        stream: its key, as `randomness.key` gives it.

    Returns:
        Numbers in [0, count), [n]: each once, when every position is asked for.
    """
    bits = words(stream, 2 * ROUNDS)
    pivots = integers(bits[:ROUNDS], count).tolist()
    places = positions
    for pivot, key in zip(pivots, bits[ROUNDS:].tolist(), strict=True):
        partners = (pivot - places) % count
        is_swapped = words_at(key, np.maximum(places, partners)) >> np.uint64(WORD_BITS - 1)
        places = np.where(is_swapped, partners, places)
    return places
