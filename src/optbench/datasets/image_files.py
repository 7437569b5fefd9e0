"""Large sets of images that stay in their files: examples by id, read one at a time, verified."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from optbench.core.errors import UsageError
from optbench.datasets.image_decoder import decode
from optbench.datasets.image_manifest import MANIFEST, ROW, Manifest, mapped, read_manifest
from optbench.datasets.image_source import LOCATION, SPLITS, Layout, Source, Split, source_of
from optbench.download.errors import Truncated, WrongContent


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    """The examples of a split, by ids counted from 0. It goes to other processes as paths."""

    place: Path  # an archive or a folder tree
    index: Path  # of LOCATIONs
    manifest: Path | None  # None: it is being made
    first: int  # the manifest's row of example 0
    way_out: str

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets: not what is open or mapped in this one."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def locations(self) -> NDArray[np.void]:
        """Of all examples, [n]."""
        return mapped(self.index, LOCATION, self.way_out)

    @cached_property
    def rows(self) -> NDArray[np.void]:
        """Of the manifest, those of this split, [n]."""
        if self.manifest is None:
            raise ValueError("there is no manifest yet")
        return mapped(self.manifest, ROW, self.way_out)[self.first : self.first + len(self)]

    @cached_property
    def archive(self) -> int | None:
        """The archive's descriptor, open for the life of the process; None for a tree."""
        return None if self.place.is_dir() else os.open(self.place, os.O_RDONLY)

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.locations)

    def name(self, example: int) -> str:
        """An example's class and file."""
        return str(self.locations["name"][example].decode())

    def described(self, example: int) -> str:
        """An example in a message: its id, and where it lies."""
        name = self.name(example)
        if self.archive is None:
            return f"example {example:,} of {self.place.name}, {self.place / name},"
        return (
            f"example {example:,}, {name} in {self.place} at byte "
            f"{self.locations['offset'][example]:,},"
        )

    def label(self, example: int) -> int:
        """An example's class."""
        return int(self.rows["label"][example])

    def read(self, example: int) -> bytes:
        """An example's bytes, of the length that the index says.

        Raises:
            Truncated, WrongContent: it has another length.
            UsageError: the system refuses to read it.
        """
        length, offset = (int(self.locations[column][example]) for column in ("length", "offset"))
        try:
            if self.archive is None:
                content = (self.place / self.name(example)).read_bytes()
            else:
                content = os.pread(self.archive, length, offset)
        except OSError as error:
            raise UsageError(
                f"{self.described(example)} cannot be read: {error.strerror}"
            ) from error
        if len(content) != length:
            kind = Truncated if len(content) < length else WrongContent
            raise kind(f"{self.described(example)} has {len(content):,} bytes, expected {length:,}")
        return content

    def verified(self, example: int) -> bytes:
        """An example's bytes, if they are those of the manifest.

        Raises:
            Truncated, WrongContent: they are not.
            UsageError: the system refuses to read them.
        """
        content = self.read(example)
        if hashlib.sha256(content).digest() != self.rows["sha256"][example].tobytes():
            raise WrongContent(
                f"{self.described(example)} has sha256 {hashlib.sha256(content).hexdigest()}, "
                f"expected {self.rows['sha256'][example].tobytes().hex()}: it was changed since "
                f"the manifest was made; bring back what it was, or {self.way_out}"
            )
        return content

    def image(self, example: int) -> Image.Image:
        """An example's image in RGB, verified.

        Raises:
            UsageError: it cannot be read, is another, or does not decode.
        """
        content = self.verified(example)
        try:
            return decode(content)
        except ValueError as error:
            raise WrongContent(f"{self.described(example)} does not decode: {error}") from error


@dataclass(frozen=True, kw_only=True)
class ImageFileData:
    """A data set. `mean` and `std` are per channel, of pixels / 255."""

    train: ImageFiles
    test: ImageFiles
    class_counts: NDArray[np.int64]  # of training examples; those of a class stand together
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    digest: str  # the manifest's sha256


def image_file_data(
    layout: Layout,
    root: Path,
    *,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    sha256: Mapping[str, str],
) -> ImageFileData:
    """A data set whose manifest lies below `root`, and whose files lie where its layout says.

    Args:
        layout: the data set's.
        root: the folder of its manifest.
        mean: of pixels / 255, per channel.
        std: likewise.
        sha256: the manifest's, if it is known.

    Raises:
        UsageError: files or manifest are missing or damaged, or do not belong together.
    """
    way_out = f"run {layout.obtain}"
    path = (root / MANIFEST).absolute()
    manifest = read_manifest(path, way_out)
    if sha256 and manifest.digest != sha256[MANIFEST]:
        raise UsageError(
            f"{path} is damaged: sha256 is {manifest.digest}, expected {sha256[MANIFEST]}. Remove "
            f"it, then {way_out}"
        )
    source = source_of(layout, root)
    train, test = (_files(source, split, path, manifest, way_out) for split in SPLITS)
    counts = np.bincount(manifest.of(0)["label"], minlength=layout.classes)
    return ImageFileData(
        train=train, test=test, class_counts=counts, mean=mean, std=std, digest=manifest.digest
    )


def _files(
    source: Source, split: Split, path: Path, manifest: Manifest, way_out: str
) -> ImageFiles:
    """The examples of a split, if they are the manifest's by name and length."""
    number = SPLITS.index(split)
    rows = manifest.of(number)
    names = rows["name"].tolist() if split == "val" else []
    classes = dict(name.decode().split("/")[::-1] for name in names)  # by file
    files = ImageFiles(
        place=source.place(split),
        index=source.index(split, classes),
        manifest=path,
        first=manifest.first(number),
        way_out=way_out,
    )
    require_same(files, rows, path)
    return files


def require_same(files: ImageFiles, rows: NDArray[np.void], path: Path) -> None:
    """Files are those that a manifest lists.

    Raises:
        WrongContent: the message names one that is not.
    """
    if _same(files, rows):
        return
    here, listed = (
        set(zip(held["name"].tolist(), held["length"].tolist(), strict=True))
        for held in (files.locations, rows)
    )
    different = here ^ listed
    name, length = min(different)
    where = "here, and not in the manifest" if (name, length) in here else "in the manifest alone"
    raise WrongContent(
        f"{files.place} holds other files than {path} lists, {len(different):,} of them: for "
        f"example {name.decode()} of {length:,} bytes is {where}. Bring back what was there, or "
        f"remove the manifest, then {files.way_out}"
    )


def _same(files: ImageFiles, rows: NDArray[np.void]) -> bool:
    """Whether names and lengths are equal, one by one."""
    return len(files) == len(rows) and all(
        np.array_equal(files.locations[column], rows[column]) for column in ("name", "length")
    )
