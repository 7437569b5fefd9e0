"""ImageNet's path without ImageNet: the digits as JPEG files, in archives of ILSVRC2012's layout.

Made here from inside the scikit-learn wheel, so that the path needs no network and no variable of
the environment. Archives and manifest lie side by side. The digits' pixels have a known sha256;
the bytes of a JPEG depend on Pillow's JPEG library, whose version is locked with Pillow's, and no
digest of them is written down: the manifest has those of this machine, and what is read is held
against it.
"""

from collections.abc import Mapping
from pathlib import Path

from optbench.datasets.image_files import ImageFileData, image_file_data
from optbench.datasets.image_source import Archive, Layout
from optbench.datasets.imagenet import LAYOUT as IMAGENET
from optbench.datasets.imagenet import MEAN, STD

SHA256: Mapping[str, str] = {}  # of the manifest: not known before it is made
TRAIN_EXAMPLES = 1_442
LAYOUT = Layout(
    name="imagenet_tiny",
    variable=None,
    archives={split: Archive(archive.name, None) for split, archive in IMAGENET.archives.items()},
    labels=Archive(IMAGENET.labels.name, None),
    classes=10,
    examples={"train": TRAIN_EXAMPLES, "val": 355},
)


def load(root: Path) -> ImageFileData:
    """The data set whose manifest and archives lie below `root`; no pixels.

    Raises:
        UsageError: files or manifest are missing or damaged, or do not belong together.
    """
    return image_file_data(LAYOUT, root, mean=MEAN, std=STD, sha256=SHA256)
