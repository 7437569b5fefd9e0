"""A large set of labelled image files as a user brings it, unpacked or not, and where each lies.

Two splits, `train` and `val`, each in one of two forms: a tree with a folder for each class
(`train/n01440764/n01440764_18.JPEG`), or the archive as it is published, in which images are read
where they lie. ILSVRC2012's training archive is a tar of tars, one for each class; that for
validation is one tar, whose labels are in the development kit.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from optbench.core.files import publish
from optbench.datasets.image_manifest import NAME, to_npy
from optbench.download.bar import byte_progress
from optbench.download.errors import SourceError, WrongContent
from optbench.download.local import named_path
from optbench.download.tar_index import members, nested_members

Split = Literal["train", "val"]
SPLITS: tuple[Split, Split] = ("train", "val")
EXTENSIONS = (".jpeg", ".jpg", ".png")
IMAGE_BYTES_MAX = 1_000_000_000
SCRATCH = Path("scratch")
# An example's class and file, as `n01440764/n01440764_18.JPEG`, and where its bytes are.
LOCATION = np.dtype([("name", NAME), ("offset", "<u8"), ("length", "<u4")])

Progress = Callable[[int], None]


class Archive(NamedTuple):
    """A file as it is published; one that is made here has no md5 that could be known before."""

    name: str
    md5: str | None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a data set consists of."""

    name: str
    variable: str | None  # of the environment, which names its folder; None: its manifest's
    archives: Mapping[Split, Archive]
    labels: Archive  # the development kit
    classes: int
    examples: Mapping[Split, int]

    @property
    def obtain(self) -> str:
        """The command that makes its manifest, and its files where they are made here."""
        stage = f"data/dvc.yaml:download@{self.name}"
        if self.variable is None:
            return f"`dvc repro --force {stage}`"
        return f"`{self.variable}=/path/to/folder dvc repro {stage}`"

    @property
    def way_out(self) -> str:
        """What to do where it is not found."""
        if self.variable is None:
            return f"run {self.obtain}, which makes it"
        train, val = (self.archives[split].name for split in SPLITS)
        return (
            f"name its folder by its absolute path, as in `{self.variable}=/path/to/folder dvc "
            f"repro`: it holds {train}, {val} and {self.labels.name}, or train/ and val/ with a "
            "folder of images for each class"
        )


@dataclass(frozen=True)
class Source:
    """The folder of a data set's files."""

    layout: Layout
    folder: Path

    def place(self, split: Split) -> Path:
        """The archive or the folder of a split.

        Raises:
            SourceError: there is neither.
        """
        tree, archive = self.folder / split, self.folder / self.layout.archives[split].name
        if tree.is_dir():
            return tree
        if archive.is_file():
            return archive
        raise SourceError(
            f"{archive} is missing, and so is a folder {split}/ beside it: {self.layout.way_out}"
        )

    def is_tree(self, split: Split) -> bool:
        """Whether the images of a split are files."""
        return self.place(split).is_dir()

    def identity(self, split: Split) -> str:
        """Changes when files come, go, or are replaced in a split's place: 16 characters."""
        place = self.place(split)
        parts = sorted(place.iterdir()) if place.is_dir() else [place]
        stats = [(path.name, path.stat()) for path in parts]
        lines = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]
        return hashlib.sha256("\n".join([str(place), *lines]).encode()).hexdigest()[:16]

    def scratch(self, split: Split) -> Path:
        """Where this machine keeps what it knows of a split's place."""
        return (SCRATCH / self.layout.name / f"{split}-{self.identity(split)}").absolute()

    def index(self, split: Split, classes: Mapping[str, str] | None) -> Path:
        """A NumPy file of `LOCATION`s, sorted by name: an example's id is its row.

        It is made once for each machine, in seconds or minutes.

        Args:
            split: the split.
            classes: by file, the class of those whose archive does not say it; None: not known.

        Raises:
            SourceError: the split is missing, truncated, something else, or without labels.
        """
        folder = self.scratch(split)
        path = folder / "index.npy"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "index.lock"):
            if not path.is_file():
                publish(path, to_npy(self._locations(split, classes)))
        return path

    def _locations(self, split: Split, classes: Mapping[str, str] | None) -> NDArray[np.void]:
        """Walks through a split's place."""
        place = self.place(split)
        size = 0 if place.is_dir() else place.stat().st_size
        try:
            with byte_progress(f"{self.layout.name}: {place.name}", size) as progress:
                if place.is_dir():
                    walked = list(walk_tree(place))
                elif split == "train":
                    walked = list(walk_nested(place, progress))
                else:
                    walked = list(walk_flat(place, classes, self.layout))
        except OSError as error:
            raise SourceError(f"{place} cannot be read: {error.strerror}") from error
        for name, _, length in walked:
            if length > IMAGE_BYTES_MAX:
                raise WrongContent(
                    f"{place} holds {name[:80]!r} of {length:,} bytes, an image has at most "
                    f"{IMAGE_BYTES_MAX:,}"
                )
            if len(name) > NAME.itemsize or not name.isascii():
                raise WrongContent(
                    f"{place} holds {name[:80]!r}: a name of class and file must be ASCII, of at "
                    f"most {NAME.itemsize} characters"
                )
        locations = np.array(walked, dtype=LOCATION)
        return locations[np.argsort(locations["name"])]


def source_of(layout: Layout, root: Path) -> Source:
    """The folder that the environment names, or where files are made here, `root`.

    Args:
        layout: the data set's.
        root: the folder of its manifest.

    Raises:
        SourceError: the environment names none.
    """
    if layout.variable is None:
        return Source(layout, root)
    try:
        folder = named_path(layout.variable)
    except SourceError as error:
        raise SourceError(f"{error}: {layout.way_out}") from error
    if not folder.is_dir():
        raise SourceError(f"{layout.variable}={folder} is no folder: {layout.way_out}")
    return Source(layout, folder)


def walk_tree(place: Path) -> Iterator[tuple[str, int, int]]:
    """Name, 0 and length of each image in a folder of folders.

    Raises:
        WrongContent: images lie elsewhere, or there is something else.
    """
    for folder in _entries(place):
        if not folder.is_dir():
            raise WrongContent(
                f"{folder.path} does not lie in a folder of a class, so that its label is not "
                f"known: move it to {place}/<class>/{folder.name}"
            )
        for file in _entries(Path(folder.path)):
            if file.is_dir():
                raise WrongContent(
                    f"{file.path} is wrongly nested: {place}/<class>/ holds images, and no folders"
                )
            if not file.name.lower().endswith(EXTENSIONS):
                raise WrongContent(f"{file.path} is no image by its name: {', '.join(EXTENSIONS)}")
            yield f"{folder.name}/{file.name}", 0, file.stat().st_size


def walk_nested(place: Path, progress: Progress) -> Iterator[tuple[str, int, int]]:
    """Name, offset and length of each image in a tar of a tar for each class.

    Raises:
        SourceError: it is truncated, damaged, or something else.
    """
    with place.open("rb", buffering=0) as file:
        for label, member in nested_members(place, file, progress):
            yield f"{label}/{member.name}", member.offset, member.length


def walk_flat(
    place: Path, classes: Mapping[str, str] | None, layout: Layout
) -> Iterator[tuple[str, int, int]]:
    """Name, offset and length of each image in a tar of images, whose classes are known by file.

    Raises:
        SourceError: it is truncated, damaged, or something else, or a label is not known.
    """
    if classes is None:
        raise SourceError(
            f"{place} holds no labels, and {place.with_name(layout.labels.name)}, which does, is "
            "missing: put it there"
        )
    with place.open("rb", buffering=0) as file:
        for member in members(place, file):
            if member.name.endswith(".tar"):
                raise WrongContent(
                    f"{place} is wrongly nested: it holds {member.name[:60]!r}, expected images"
                )
            if member.name not in classes:
                raise WrongContent(f"{place} holds {member.name[:60]!r}, whose label is not known")
            yield f"{classes[member.name]}/{member.name}", member.offset, member.length


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, in order, but for what is hidden."""
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
