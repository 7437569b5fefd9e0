"""ImageNet, from the folder that the user names: its manifest is made, and nothing is copied.

Labels of the validation archive come from ILSVRC2012's development kit: a number for each image,
and a MATLAB file of the classes that the numbers mean.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scipy.io import loadmat

from optbench.datasets.image_source import Layout, source_of
from optbench.datasets.imagenet import LAYOUT, SHA256
from optbench.datasets.manifest_making import check_md5, make_manifest
from optbench.download.archive import read_members
from optbench.download.errors import WrongContent

LABELS, CLASSES = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
LIMITS = {LABELS: 1_000_000, CLASSES: 10_000_000}  # bytes


def obtain(target: Path) -> None:
    """Makes the manifest, unless it is there.

    Raises:
        SourceError: the data set is missing, truncated, something else, or without labels.
    """
    obtain_layout(LAYOUT, target, sha256=SHA256)


def obtain_layout(
    layout: Layout, target: Path, *, sha256: Mapping[str, str], processes: int | None = None
) -> None:
    """The same for any data set of ILSVRC2012's layout.

    Raises:
        SourceError: as for `obtain`.
    """
    source = source_of(layout, target)
    kit = source.folder / layout.labels.name
    classes = None
    if not source.is_tree("val") and kit.is_file():
        if layout.labels.md5:
            check_md5(kit, layout.labels.md5)
        classes = validation_classes(kit)
    make_manifest(source, target, classes=classes, sha256=sha256, processes=processes)


def validation_classes(kit: Path) -> dict[str, str]:
    """By file of the validation archive, the class that the development kit says.

    Raises:
        SourceError: the kit is truncated, damaged, or something else.
    """
    contents = read_members(kit, LIMITS).files
    for name in LIMITS:
        if name not in contents:
            raise WrongContent(f"{kit} is an archive of something else: {name} is missing")
    try:
        # Without cells and structures of one entry, which MATLAB wraps everything in.
        file: Any = io.BytesIO(contents[CLASSES])  # which the stub does not know
        table = loadmat(file, squeeze_me=True)["synsets"]
        classes = {int(n): str(wnid) for n, wnid in zip(table["ILSVRC2012_ID"], table["WNID"],
                                                        strict=True)}  # fmt: skip
        numbers = [int(line) for line in contents[LABELS].split()]
        return {
            f"ILSVRC2012_val_{place:08}.JPEG": classes[number]
            for place, number in enumerate(numbers, start=1)
        }
    except Exception as error:  # of a file that anybody may have made
        raise WrongContent(f"{kit} holds no labels that can be read: {error}") from error
