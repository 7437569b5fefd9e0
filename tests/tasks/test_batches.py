"""Against crops, flips and normalisation written as loops over single images."""

import numpy as np
import pytest
import torch

from optbench.core import randomness
from optbench.datasets.images import ImageData, Images
from optbench.tasks.image_classification.batches import DeviceImages, EvalBatches, TrainBatches

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 8, 6
PIXELS = RNG.integers(0, 256, size=(50, HEIGHT, WIDTH, 3), dtype=np.uint8)
IMAGES = Images(PIXELS, np.arange(50) % 10)
DATA = ImageData(IMAGES, IMAGES, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), tuple("0123456789"), "")


def train_batches(batch_size=16, *, seed=0, padding=2, flip=True) -> TrainBatches:
    images = DeviceImages(IMAGES, DATA, CPU, padding=padding)
    return TrainBatches(images, batch_size=batch_size, seed=seed, flip=flip)


def eval_batches(batch_size: int, limit: int | None = None) -> EvalBatches:
    images = DeviceImages(IMAGES, DATA, CPU)
    return EvalBatches(images, batch_size=batch_size, limit=limit)


def normalise(pixels: np.ndarray) -> np.ndarray:
    """[h, w, c] bytes to [c, h, w] floats."""
    return ((pixels / 255 - DATA.mean) / DATA.std).transpose(2, 0, 1)


def augmented_by_hand(example: int, epoch: int, padding: int) -> np.ndarray:
    def draw(purpose: str, high: int) -> int:
        bits = randomness.words(randomness.key(0, purpose, epoch), 50)
        return int(randomness.integers(bits, high)[example])

    padded = np.zeros((HEIGHT + 2 * padding, WIDTH + 2 * padding, 3), np.uint8)
    padded[padding:-padding, padding:-padding] = PIXELS[example]
    top, left = draw("crop-top", 2 * padding + 1), draw("crop-left", 2 * padding + 1)
    crop = padded[top : top + HEIGHT, left : left + WIDTH]
    return normalise(crop[:, ::-1] if draw("flip", 2) else crop)


def test_crop_and_flip_match_single_images():
    order = randomness.permutation(0, 3, 50)
    start = 0
    for images, labels in train_batches().epoch(3):
        for offset in range(16):
            example = order[start + offset]
            expected = augmented_by_hand(example, 3, padding=2)
            np.testing.assert_allclose(images[offset].numpy(), expected, atol=1e-5)
            assert labels[offset] == example % 10
        start += 16
    assert start == 48  # the incomplete batch is left out


def test_augmentation_depends_on_the_example_and_not_on_the_batch():
    def by_position(batch_size: int) -> torch.Tensor:
        return torch.cat([images for images, _ in train_batches(batch_size).epoch(1)])[:40]

    assert torch.equal(by_position(8), by_position(20))


def test_control_another_seed_or_epoch_gives_other_images():
    first = next(train_batches().epoch(0))[0]
    assert torch.equal(first, next(train_batches().epoch(0))[0])
    assert not torch.equal(first, next(train_batches(seed=1).epoch(0))[0])
    assert not torch.equal(first, next(train_batches().epoch(1))[0])


def test_images_are_channels_last():
    images, _ = next(train_batches().epoch(0))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_evaluation_gives_all_images_once_in_order_unchanged():
    batches = eval_batches(20)
    images, labels = (torch.cat(parts) for parts in zip(*batches.epoch(0), strict=True))
    expected = np.stack([normalise(pixels) for pixels in PIXELS])
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-5)
    assert torch.equal(labels, torch.from_numpy(IMAGES.labels))
    assert (len(batches), batches.examples) == (3, 50)


@pytest.mark.parametrize("limit", [1, 7, 20, 49, 50, 51])
def test_some_images_for_evaluation_are_fixed_and_spread_over_all(limit):
    count = min(limit, 50)
    batches = eval_batches(3, limit)
    first, again = (list(batches.epoch(epoch)) for epoch in (0, 1))
    assert len(batches) == len(first) == -(-count // 3)
    assert all(map(torch.equal, *(map(torch.cat, zip(*b, strict=True)) for b in (first, again))))
    labels = torch.cat([labels for _, labels in first])
    chosen = [i * 50 // count for i in range(count)]
    assert labels.tolist() == [i % 10 for i in chosen]
    images = torch.cat([images for images, _ in first])
    expected = np.stack([normalise(PIXELS[i]) for i in chosen])
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-5)
    assert len(set(chosen)) == batches.examples == count
    gaps = np.diff([*chosen, 50])
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("start", [0, 1, 2])
def test_an_epoch_goes_on_from_any_batch(start):
    for batches in (train_batches(), eval_batches(20)):
        whole = list(batches.epoch(1))
        rest = list(batches.epoch(1, start))
        assert len(rest) == len(whole) - start
        for batch, expected in zip(rest, whole[start:], strict=True):
            assert all(map(torch.equal, batch, expected))


@pytest.mark.parametrize("padding", [0, 1])
def test_without_flip_and_padding_only_the_order_changes(padding):
    batches = train_batches(50, padding=padding, flip=False)
    images, labels = next(batches.epoch(0))
    same = sum(
        np.allclose(image.numpy(), normalise(PIXELS[i]), atol=1e-5)
        for image, i in zip(images, randomness.permutation(0, 0, 50), strict=True)
    )
    assert (same == 50) == (padding == 0)
    assert sorted(labels.tolist()) == sorted(IMAGES.labels.tolist())
