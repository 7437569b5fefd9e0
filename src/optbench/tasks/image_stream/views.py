"""The part of an image that a network sees, as bytes: torchvision's transforms, of keyed draws.

To train on: a random part, scaled to a square and flipped or not (Szegedy et al. 2015, arXiv
1409.4842, section 6; `torchvision.transforms.RandomResizedCrop`). To score: the shorter side is
scaled to 256/224 of the square's, and the square cut out of the middle. Scaling is Pillow's
bilinear, which has no aliasing.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from optbench.core import random_access, randomness
from optbench.core.randomness import Words

Pixels = NDArray[np.uint8]

AREA = (0.08, 1.0)  # of the whole image's, from and to
RATIO = (3 / 4, 4 / 3)  # of width to height, likewise
ATTEMPTS = 10  # at a part that fits into the image
DRAWS = 4  # of an attempt: area, ratio, top, left
SCALED, CUT = 256, 224  # sides, of which the ratio is kept


class Box(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def random_box(width: int, height: int, bits: Words) -> Box:
    """A random part of an image: area uniform, ratio uniform in its logarithm, place uniform.

    Where ten attempts do not fit into the image, the largest part in its middle that has an
    allowed ratio.

    Args:
        width: the image's, in pixels.
        height: likewise.
        bits: random words, [ATTEMPTS * DRAWS].
    """
    low, high = (math.log(ratio) for ratio in RATIO)
    for area, ratio, top, left in random_access.uniforms(bits).reshape(ATTEMPTS, DRAWS).tolist():
        pixels = width * height * (AREA[0] + area * (AREA[1] - AREA[0]))
        aspect = math.exp(low + ratio * (high - low))
        w, h = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < w <= width and 0 < h <= height:
            return Box(int(top * (height - h + 1)), int(left * (width - w + 1)), h, w)
    h, w = min(height, round(width / RATIO[0])), min(width, round(height * RATIO[1]))
    return Box((height - h) // 2, (width - w) // 2, h, w)


def train_view(
    image: Image.Image, example: int, *, seed: int, epoch: int, side: int, flip: bool
) -> Pixels:
    """A random part of an image, a function of (seed, epoch, example); [side, side, 3]."""
    place = np.array([example])
    (stream,) = randomness.words_at(randomness.key(seed, "crop", epoch), place).tolist()
    box = random_box(*image.size, randomness.words(stream, ATTEMPTS * DRAWS))
    pixels = scaled_part(image, box, side)
    bits = randomness.words_at(randomness.key(seed, "flip", epoch), place)
    return pixels[:, ::-1] if flip and randomness.integers(bits, 2)[0] else pixels


def scaled_part(image: Image.Image, box: Box, side: int) -> Pixels:
    """A part of an image, scaled to a square; [side, side, 3]."""
    part = image.crop((box.left, box.top, box.left + box.width, box.top + box.height))
    return np.asarray(part.resize((side, side), Image.Resampling.BILINEAR))


def evaluation_view(image: Image.Image, side: int) -> Pixels:
    """The middle of an image, [side, side, 3]."""
    shorter = round(side * SCALED / CUT)
    short, long = sorted(image.size)
    longer = int(shorter * long / short)
    width, height = (shorter, longer) if image.width <= image.height else (longer, shorter)
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return np.asarray(scaled.crop((left, top, left + side, top + side)))
