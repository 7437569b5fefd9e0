"""Random numbers as pure functions of (seed, purpose, epoch, example).

No state is carried from one example to the next, so order and augmentation depend neither on the
batch size nor on where training was interrupted. The stream is SplitMix64 (Steele, Lea and Flood
2014, "Fast splittable pseudorandom number generators").
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def key(seed: int, purpose: str, epoch: int = 0) -> int:
    """A 64-bit key: one independent stream for each seed, purpose and epoch."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def words(stream: int, count: int) -> Words:
    """The first `count` 64-bit words of a stream, one an example; shape [count]."""
    return words_at(stream, np.arange(count))


def words_at(stream: int, positions: NDArray[np.int64]) -> Words:
    """The words of a stream at positions counted from 0; shape of `positions`, [n]."""
    z = np.uint64(stream) + GOLDEN_GAMMA * (positions.astype(np.uint64) + np.uint64(1))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def integers(bits: Words, high: int) -> NDArray[np.int64]:
    """Integers in [0, high) from the upper half of each word; bias below high / 2**32."""
    return ((bits >> np.uint64(32)) * np.uint64(high) >> np.uint64(32)).astype(np.int64)


def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order in which an epoch visits `count` examples."""
    return np.argsort(words(key(seed, "order", epoch), count), kind="stable").astype(np.int64)
