from pathlib import Path

import numpy as np
import pytest

from optbench.datasets import digits
from optbench.download.obtain import obtain


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    obtain("digits", folder)
    return folder


def test_statistics_are_the_train_sets(root: Path):
    train = digits.load(root).train.pixels / 255
    np.testing.assert_allclose(train.mean(), digits.MEAN[0], rtol=1e-6)
    np.testing.assert_allclose(train.std(), digits.STD[0], rtol=1e-6)


def test_the_split_is_stratified_and_complete(root: Path):
    data = digits.load(root)
    assert len(data.train) == digits.TRAIN_EXAMPLES
    assert len(data.train) + len(data.test) == 1797
    for label in range(10):
        share = (data.test.labels == label).sum() / 1797
        assert 0.018 < share < 0.022


def test_a_changed_pixel_is_refused(root: Path, tmp_path: Path):
    for name in digits.SHA256:
        (tmp_path / name).write_bytes((root / name).read_bytes())
    content = bytearray((tmp_path / "images.npy").read_bytes())
    content[500] ^= 1
    (tmp_path / "images.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"images\.npy is damaged"):
        digits.load(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"images\.npy is missing: run `dvc repro"):
        digits.load(tmp_path)
