"""Against torchvision's transforms on Pillow images, pixel by pixel, and how its boxes spread."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from tests.datasets.imagenet_files import photographs
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, RandomResizedCrop, Resize
from torchvision.transforms import functional as F

from optbench.core import randomness
from optbench.core.randomness import words_at
from optbench.tasks.image_stream.views import (
    ATTEMPTS,
    DRAWS,
    Box,
    evaluation_view,
    random_box,
    scaled_part,
    train_view,
)

PHOTOS = photographs()
NARROW = PHOTOS[0].crop((0, 0, 500, 33))
BILINEAR = InterpolationMode.BILINEAR


def box_of(size: tuple[int, int], example: int) -> Box:
    """As `train_view` draws it for seed 3, epoch 2."""
    (stream,) = words_at(randomness.key(3, "crop", 2), np.array([example])).tolist()
    return random_box(*size, randomness.words(stream, ATTEMPTS * DRAWS))


@pytest.mark.parametrize("side", [224, 64])
@pytest.mark.parametrize("image", [*PHOTOS, NARROW, PHOTOS[1].crop((0, 0, 40, 50))])
def test_a_part_is_torchvisions_of_the_same_box(image: Image.Image, side):
    flips = 0
    for example in range(12):
        box = box_of(image.size, example)
        expected = np.asarray(F.resized_crop(image, *box, (side, side), BILINEAR, antialias=True))
        assert np.array_equal(scaled_part(image, box, side), expected)
        view = train_view(image, example, seed=3, epoch=2, side=side, flip=True)
        is_flipped = not np.array_equal(view, expected)
        flips += is_flipped
        assert np.array_equal(view, np.asarray(F.hflip(Image.fromarray(expected)))
                              if is_flipped else expected)  # fmt: skip
        plain = train_view(image, example, seed=3, epoch=2, side=side, flip=False)
        assert np.array_equal(plain, expected)
    assert 0 < flips < 12


def test_control_a_box_beside_it_or_no_antialias_gives_other_pixels():
    top, left, height, width = box = Box(20, 30, 300, 300)
    ours = scaled_part(PHOTOS[0], box, 64)
    assert not np.array_equal(ours, scaled_part(PHOTOS[0], Box(top, left + 1, height, width), 64))
    tensor = F.pil_to_tensor(PHOTOS[0])
    aliased = F.resized_crop(tensor, *box, [64, 64], BILINEAR, antialias=False)
    assert np.abs(aliased.permute(1, 2, 0).numpy().astype(int) - ours).max() > 20


@pytest.mark.parametrize(("side", "shorter"), [(224, 256), (64, 73)])
def test_the_middle_is_torchvisions(side, shorter):
    expected = Compose([Resize(shorter, BILINEAR), CenterCrop(side)])
    for image in (*PHOTOS, NARROW, NARROW.transpose(Image.Transpose.ROTATE_90),
                  PHOTOS[1].crop((0, 0, 41, 57)), PHOTOS[1].crop((0, 0, 57, 41))):  # fmt: skip
        assert np.array_equal(evaluation_view(image, side), np.asarray(expected(image)))
    for width in range(225, 300, 7):  # where halves are rounded
        image = PHOTOS[0].crop((0, 0, width, 231))
        assert np.array_equal(evaluation_view(image, side), np.asarray(expected(image)))


def test_boxes_are_distributed_as_torchvisions():
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)
    size, count = (500, 375), 3000
    image = Image.new("RGB", size)
    scale, ratio = (0.08, 1.0), (3 / 4, 4 / 3)
    theirs = np.array([RandomResizedCrop.get_params(image, scale, ratio) for _ in range(count)])
    other = np.array([RandomResizedCrop.get_params(image, (0.2, 1.0), ratio) for _ in range(count)])
    torch.set_rng_state(generator_state)
    ours = np.array([box_of(size, example) for example in range(count)])
    for boxes, is_same in ((theirs, True), (other, False)):
        area = [b[:, 2] * b[:, 3] for b in (ours, boxes)]
        assert (stats.ks_2samp(*area).pvalue > 1e-3) == is_same
    for column in range(4):
        assert stats.ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-3
    assert stats.ks_2samp(ours[:, 2] / ours[:, 3], theirs[:, 2] / theirs[:, 3]).pvalue > 1e-3
    assert (ours[:, :2] >= 0).all()
    assert (ours[:, 0] + ours[:, 2] <= size[1]).all()
    assert (ours[:, 1] + ours[:, 3] <= size[0]).all()


@pytest.mark.parametrize("size", [(500, 33), (33, 500), (500, 375)])
def test_where_no_part_fits_it_is_torchvisions_middle(size):
    """Parts of the whole area, in a ratio that none of these has: no attempt fits."""
    bits = np.full(ATTEMPTS * DRAWS, 2**64 - 1, dtype=np.uint64)
    bits[1::DRAWS] = 0  # the smallest ratio
    image = Image.new("RGB", size)
    assert random_box(*size, bits) == RandomResizedCrop.get_params(
        image, (1.0, 1.0), (3 / 4, 4 / 3)
    )


def test_a_view_depends_on_seed_epoch_and_example_alone():
    def view(example=5, seed=0, epoch=1) -> bytes:
        return train_view(PHOTOS[2], example, seed=seed, epoch=epoch, side=32, flip=True).tobytes()

    assert view() == view()
    assert len({view(), view(example=6), view(seed=1), view(epoch=2)}) == 4
