"""2 x 2 max-pooling with torch's bits, in a fraction of its time on bfloat16 images.

On a CPU torch pools bfloat16 by scalar code: on ResNet-9 that takes a fifth of a step. Here Numba
compiles loops over channels into vector instructions. The loops have no branches, and take images
by their bits. Where Numba is absent, or images are of another kind, torch does it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

try:
    import numba
except ImportError:
    numba = None  # type: ignore[assignment]

Bits = np.ndarray[Any, Any]
INFINITY, MAGNITUDE = np.int16(0x7F80), np.int16(0x7FFF)  # of a bfloat16's bits


class MaxPool2x2(nn.Module):
    """Halves the sides of images [n, channels, height, width]; an odd last line is left out."""

    def forward(self, images: Tensor) -> Tensor:
        """The maximum of each square; of equals the first has the gradient, of NaN the last."""
        if not suits_numba(images):
            return F.max_pool2d(images, 2)
        maxima: Tensor = _Pool.apply(images)
        return maxima


def suits_numba(images: Tensor) -> bool:
    """Whether Numba's loops take these images."""
    return (
        numba is not None
        and images.dtype == torch.bfloat16
        and images.device.type == "cpu"
        and images.shape[2] % 2 == images.shape[3] % 2 == 0
        and not torch.compiler.is_compiling()
    )


class _Pool(torch.autograd.Function):
    """Forward and backward in Numba."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        """Maxima; which of its four pixels each was stays for the way back."""
        n, channels, height, width = images.shape
        maxima = _empty(n, channels, height // 2, width // 2)
        place = torch.empty((n, height // 2, width // 2, channels), dtype=torch.uint8)
        _each_part(pool, _bits(images), _bits(maxima), place.numpy())
        ctx.save_for_backward(place)
        return maxima

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The gradient at the maxima, zero elsewhere."""
        (place,) = ctx.saved_tensors
        n, channels, height, width = gradient.shape
        spread = _empty(n, channels, 2 * height, 2 * width)
        _each_part(unpool, _bits(gradient), place.numpy(), _bits(spread))
        return spread


def _empty(*shape: int) -> Tensor:
    """A tensor [n, channels, height, width] of bfloat16, not filled."""
    return torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)


def _bits(images: Tensor) -> Bits:
    """The bits of images [n, channels, height, width] as int16 [n, height, width, channels]."""
    rows = images.detach().permute(0, 2, 3, 1).contiguous()
    bits: Bits = rows.view(torch.int16).numpy()
    return bits


def _each_part(loops: Callable[..., None], *arrays: Bits) -> None:
    """Runs loops over images [n, ...] on as many threads as torch has, a part of them each."""
    threads = torch.get_num_threads()
    edges = [len(arrays[0]) * k // threads for k in range(threads + 1)]
    parts = [[a[start:end] for a in arrays] for start, end in pairwise(edges)]
    waiting = [_pool_of_threads(threads).submit(loops, *part) for part in parts[1:]]
    loops(*parts[0])
    for future in waiting:
        future.result()


@cache
def _pool_of_threads(threads: int) -> ThreadPoolExecutor:
    """Threads beside the caller's; they start when they are first needed."""
    return ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="pooling")


def compiled(function: Any) -> Any:
    """The function, compiled when it is first called, without Python's lock; itself if it can't."""
    return numba.njit(nogil=True)(function) if numba else function


@compiled
def rank(bits: Any) -> Any:
    """A whole number that grows as the bfloat16 of these bits; of both zeros 0, of NaN the most."""
    negative = bits >> np.int16(15)  # -1 or 0
    ordered = np.int16((bits ^ (negative & MAGNITUDE)) - negative)
    return MAGNITUDE if (bits & MAGNITUDE) > INFINITY else ordered


@compiled
def pool(images: Any, maxima: Any, place: Any) -> None:
    """Fills maxima, and the place, 0 to 3, of each in its square, by rows from above.

    Args:
        images: bits [n, height, width, channels].
        maxima: bits [n, height / 2, width / 2, channels].
        place: of maxima's shape.
    """
    for n in range(images.shape[0]):
        for i in range(maxima.shape[1]):
            for j in range(maxima.shape[2]):
                first, second = images[n, 2 * i, 2 * j], images[n, 2 * i, 2 * j + 1]
                third, fourth = images[n, 2 * i + 1, 2 * j], images[n, 2 * i + 1, 2 * j + 1]
                best, chosen = maxima[n, i, j], place[n, i, j]
                for c in range(images.shape[3]):
                    bits, most, at = first[c], rank(first[c]), np.uint8(0)
                    size = rank(second[c])
                    takes = (size > most) | (size == MAGNITUDE)
                    bits = second[c] if takes else bits
                    most = size if takes else most
                    at = np.uint8(1) if takes else at
                    size = rank(third[c])
                    takes = (size > most) | (size == MAGNITUDE)
                    bits = third[c] if takes else bits
                    most = size if takes else most
                    at = np.uint8(2) if takes else at
                    size = rank(fourth[c])
                    takes = (size > most) | (size == MAGNITUDE)
                    best[c] = fourth[c] if takes else bits
                    chosen[c] = np.uint8(3) if takes else at


@compiled
def unpool(gradient: Any, place: Any, spread: Any) -> None:
    """Fills spread, bits [n, height, width, channels], with the gradient at its places, or 0."""
    for n in range(gradient.shape[0]):
        for i in range(gradient.shape[1]):
            for j in range(gradient.shape[2]):
                passed, chosen = gradient[n, i, j], place[n, i, j]
                for q in range(4):
                    filled = spread[n, 2 * i + q // 2, 2 * j + q % 2]
                    for c in range(gradient.shape[3]):
                        filled[c] = passed[c] if chosen[c] == q else np.int16(0)
