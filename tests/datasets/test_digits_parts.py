"""Parts of the digits have a share of each class's training images, and the whole's test images."""

from pathlib import Path

import numpy as np
import pytest

from optbench.core import registry
from optbench.core.errors import UsageError
from optbench.datasets import digits
from optbench.download.obtain import obtain

SHARES = {"digits_5": 0.05, "digits_10": 0.1, "digits_25": 0.25, "digits_50": 0.5}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    obtain("digits", tmp_path / "digits")
    return tmp_path


@pytest.mark.parametrize(("name", "share"), SHARES.items())
def test_a_part_has_its_share_of_every_class_and_the_wholes_test_images(root, name, share):
    part, everything = registry.load("datasets", name), digits.load(root / "digits")
    data = part.load(root / name)
    assert len(data.train) == part.TRAIN_EXAMPLES
    ours, all_of_it = (np.bincount(images.labels) for images in (data.train, everything.train))
    assert (ours == np.floor(share * all_of_it + 1e-9)).all()
    assert (data.test.pixels == everything.test.pixels).all()
    assert data.mean == everything.mean
    rows = {image.tobytes() for image in everything.train.pixels}
    assert {image.tobytes() for image in data.train.pixels} <= rows


def test_a_part_of_damaged_files_is_refused(root):
    file = root / "digits/images.npy"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"images\.npy"):
        registry.load("datasets", "digits_5").load(root / "digits_5")
