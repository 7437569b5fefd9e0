import numpy as np
import pytest

from optbench.datasets.images import Images, every_kth_of_class, with_statistics


def test_every_kth_of_class_by_hand():
    labels = np.array([0, 1, 0, 0, 1, 1, 0, 1])
    assert every_kth_of_class(labels, 2).tolist() == [
        False, False, True, False, True, False, True, True,
    ]  # fmt: skip


def test_the_validation_split_of_balanced_labels_is_balanced():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 5000))
    chosen = labels[every_kth_of_class(labels, 10)]
    assert np.bincount(chosen).tolist() == [500] * 10


def test_statistics_of_a_data_set_are_those_of_its_training_images():
    """Against NumPy's, channel by channel; the control is a set whose test images differ."""
    pixels = np.random.default_rng(0).integers(0, 256, size=(20, 4, 6, 3), dtype=np.uint8)
    train, test = Images(pixels[:15], np.zeros(15, int)), Images(pixels[15:], np.zeros(5, int))
    data = with_statistics(train, test, classes=("a",), digest="0")
    for channel in range(3):
        values = pixels[:15, ..., channel].astype(np.float64) / 255
        assert data.mean[channel] == pytest.approx(values.mean(), rel=1e-12)
        assert data.std[channel] == pytest.approx(values.std(), rel=1e-12)
    swapped = with_statistics(test, train, classes=("a",), digest="0")
    assert swapped.mean != data.mean
