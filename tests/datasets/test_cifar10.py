"""On the real images: they are obtained if they are not there yet."""

from pathlib import Path

import numpy as np
import pytest

from optbench.datasets import cifar10
from optbench.datasets.images import every_kth_of_class
from optbench.download.obtain import obtain

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2] / "data/raw/cifar10"


@pytest.fixture(scope="module")
def data():
    obtain("cifar10", ROOT)
    return cifar10.load(ROOT)


def test_sizes(data):
    assert data.train.pixels.shape == (cifar10.TRAIN_EXAMPLES, 32, 32, 3)
    assert data.test.pixels.shape == (10_000, 32, 32, 3)
    assert np.bincount(data.train.labels).tolist() == [5000] * 10


def test_statistics_are_the_train_sets(data):
    pixels = data.train.pixels.reshape(-1, 3) / 255
    np.testing.assert_allclose(pixels.mean(axis=0), cifar10.MEAN, rtol=1e-6)
    np.testing.assert_allclose(pixels.std(axis=0), cifar10.STD, rtol=1e-6)
    with pytest.raises(AssertionError):  # the control: figures that many repositories carry
        np.testing.assert_allclose(pixels.std(axis=0), (0.2023, 0.1994, 0.2010), rtol=1e-6)


def test_holdout_takes_5000_images_500_a_class(data):
    mask = every_kth_of_class(data.train.labels, 10)
    assert np.bincount(data.train.labels[mask]).tolist() == [500] * 10


def test_the_first_image_agrees_with_an_independent_reading(data):
    record = (ROOT / "data_batch_1.bin").read_bytes()[:3073]
    assert data.train.labels[0] == record[0] == 6  # a frog
    for row, column, channel in [(0, 0, 0), (5, 7, 1), (31, 31, 2)]:
        expected = record[1 + channel * 1024 + row * 32 + column]
        assert data.train.pixels[0, row, column, channel] == expected
