"""The digits in ImageNet's layout: three archives, made of the verified pixels, and the manifest.

The training archive is a tar of a tar for each class, the validation archive a tar of images, and
the development kit has the validation images' labels. The same pixels and the same Pillow give the
same bytes.
"""

import gzip
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from scipy.io import savemat

from optbench.core.files import publish
from optbench.datasets import digits
from optbench.datasets.digits_sources import from_scikit_learn
from optbench.datasets.image_source import Split
from optbench.datasets.imagenet_sources import CLASSES, LABELS, obtain_layout
from optbench.datasets.imagenet_tiny import LAYOUT, SHA256
from optbench.datasets.images import ImageData, Images
from optbench.download.publish import publish_folder

MAGNIFIED = (9, 10)  # times: 8 x 8 pixels become 72 x 80
BRIGHTEST = 16  # of a digit's pixels
QUALITY = 90
# In place of the platform and the time, which SciPy writes here.
HEADER = b"MATLAB 5.0 MAT-file".ljust(116)


def obtain(target: Path) -> None:
    """Makes archives and manifest, unless they are there.

    Raises:
        SourceError: the digits are others than those that are known.
    """
    for name, content in archives(verified_digits()).items():
        path = target / name
        if not path.is_file() or path.read_bytes() != content:
            publish(path, content)
    obtain_layout(LAYOUT, target, sha256=SHA256)


def verified_digits() -> ImageData:
    """The digits, if they have the known sha256.

    Raises:
        WrongContent: they have not.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder) / "digits"
        publish_folder(from_scikit_learn(), digits.SHA256, place)
        return digits.load(place)


def archives(data: ImageData) -> dict[str, bytes]:
    """By name, the archives for training, for validation, and of labels."""
    train = {
        f"{wnid(label)}.tar": tar_of(
            (f"{wnid(label)}_{number}.JPEG", jpeg(pixels))
            for number, pixels in enumerate(data.train.pixels[data.train.labels == label])
        )
        for label in range(LAYOUT.classes)
    }
    val = ((f"ILSVRC2012_val_{place:08}.JPEG", jpeg(pixels))
           for place, pixels in enumerate(data.test.pixels, start=1))  # fmt: skip
    contents: Mapping[Split, bytes] = {"train": tar_of(train.items()), "val": tar_of(val)}
    named = {LAYOUT.archives[split].name: content for split, content in contents.items()}
    return {**named, LAYOUT.labels.name: development_kit(data.test)}


def wnid(label: int) -> str:
    """A class, named as ImageNet names classes, in the order of the digits."""
    return f"n{label:08}"


def jpeg(pixels: np.ndarray) -> bytes:
    """A digit, [8, 8, 1], as a JPEG file in colour."""
    height, width = MAGNIFIED
    grey = (pixels * (255 // BRIGHTEST)).repeat(height, axis=0).repeat(width, axis=1)
    file = io.BytesIO()
    Image.fromarray(grey.repeat(3, axis=2)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def development_kit(test: Images) -> bytes:
    """The labels of validation images by numbers from 1 on, and the classes that these mean."""
    numbers = "".join(f"{label + 1}\n" for label in test.labels)
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O")]
    rows = [(label + 1, wnid(label)) for label in range(LAYOUT.classes)]
    file = io.BytesIO()
    # The stub says that it takes a path.
    savemat(file, {"synsets": np.array(rows, dtype=kind)[:, None]})  # type: ignore[arg-type]
    classes = HEADER + file.getvalue()[len(HEADER) :]
    return gzipped(tar_of([(CLASSES, classes), (LABELS, numbers.encode())]))


def tar_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar without times and owners."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def gzipped(content: bytes) -> bytes:
    """Stored, not compressed, and without a time, so that the bytes are the same everywhere."""
    file = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=0, fileobj=file, mtime=0) as packed:
        packed.write(content)
    return file.getvalue()
