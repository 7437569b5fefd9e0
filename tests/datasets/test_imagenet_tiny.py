"""The digits in ImageNet's archives: the same bytes each time, and the digits that they were."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from tests.datasets.imagenet_files import in_this_process

from optbench.core.errors import UsageError
from optbench.datasets import imagenet, imagenet_tiny, imagenet_tiny_sources, manifest_making
from optbench.datasets.image_manifest import MANIFEST
from optbench.datasets.images import ImageData
from optbench.download.obtain import obtain

TRAIN, VAL, KIT = (
    "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz",
)  # fmt: skip


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return imagenet_tiny_sources.verified_digits()


@pytest.fixture(autouse=True)
def inline(monkeypatch, tmp_path):
    """Parts are done in this process, and no variable of the environment names a folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifest_making, "carry_out", in_this_process)
    monkeypatch.delenv("OPTBENCH_IMAGENET", raising=False)


def shrunk(image: Image.Image) -> np.ndarray:
    """A magnified digit, [8, 8] of 0 to 16: means over what was one pixel."""
    grey = np.asarray(image.convert("L"), dtype=np.float64) / 15
    return grey.reshape(8, 9, 8, 10).mean(axis=(1, 3))


def test_every_digit_is_there_once_with_its_label():
    target = Path("raw")
    obtain("imagenet_tiny", target)
    assert sorted(path.name for path in target.iterdir()) == sorted([TRAIN, VAL, KIT, MANIFEST])
    data = imagenet_tiny.load(target)
    assert (len(data.train), len(data.test)) == (1_442, 355)

    # The oracle is scikit-learn's own table: each digit's pixels, as text, and its label.
    images, labels = load_digits(return_X_y=True)
    expected = sorted((int(y), tuple(x.astype(int))) for x, y in zip(images, labels, strict=True))
    actual = sorted(
        (held.label(i), tuple(shrunk(held.image(i)).round().astype(int).ravel()))
        for held in (data.train, data.test)
        for i in range(len(held))
    )
    assert actual == expected


def test_the_archives_nest_as_imagenets_do(digits):
    packed = imagenet_tiny_sources.archives(digits)
    with tarfile.open(fileobj=io.BytesIO(packed[TRAIN])) as outer:
        names = outer.getnames()
        assert names == [f"n{label:08}.tar" for label in range(10)]
        inner = outer.extractfile(names[3])
        assert inner is not None
        with tarfile.open(fileobj=inner) as tar:
            assert tar.getnames()[0] == "n00000003_0.JPEG"
    with tarfile.open(fileobj=io.BytesIO(packed[VAL])) as tar:
        assert tar.getnames()[0] == "ILSVRC2012_val_00000001.JPEG"
    assert {archive.name for archive in imagenet.LAYOUT.archives.values()} == {TRAIN, VAL}


def test_two_makings_have_the_same_bytes(digits):
    first = imagenet_tiny_sources.archives(digits)
    assert imagenet_tiny_sources.archives(digits) == first
    digits.train.pixels[0, 0, 0] ^= 1  # the control, with another pixel
    other = imagenet_tiny_sources.archives(digits)
    digits.train.pixels[0, 0, 0] ^= 1
    assert other[TRAIN] != first[TRAIN]


def test_a_changed_image_is_refused_and_made_again():
    target = Path("raw")
    obtain("imagenet_tiny", target)
    good = (target / VAL).read_bytes()
    location = imagenet_tiny.load(target).test.locations[0]
    changed = bytearray(good)
    changed[int(location["offset"]) + int(location["length"]) // 2] ^= 1
    (target / VAL).write_bytes(changed)
    with pytest.raises(UsageError, match=r"example 0.* has sha256 .*--force data/dvc\.yaml"):
        imagenet_tiny.load(target).test.image(0)
    obtain("imagenet_tiny", target)
    assert (target / VAL).read_bytes() == good
    imagenet_tiny.load(target).test.image(0)


def test_missing_files_are_named_with_the_way_out():
    with pytest.raises(UsageError, match=r"--force data/dvc\.yaml:download@imagenet_tiny"):
        imagenet_tiny.load(Path("raw"))
