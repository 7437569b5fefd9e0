"""A copy of a data set that the user names in the environment."""

import os
from pathlib import Path

from optbench.download.errors import SourceError, Truncated, WrongContent


def named_path(variable: str) -> Path:
    """The file or folder that an environment variable names.

    A relative path starts in the working folder, which is the project's root for a stage, wherever
    it was started from.

    Raises:
        SourceError: it names none, or what it names is neither, or cannot be looked at.
    """
    name = os.environ.get(variable)
    if not name:
        raise SourceError(f"{variable} is not set")
    path = Path(name).absolute()
    try:
        if path.is_dir() or path.is_file():
            return path
        there = path.exists()
    except OSError as error:
        raise SourceError(f"{variable}={name} cannot be read: {error.strerror}") from error
    if there:
        raise SourceError(f"{variable}={name} is neither a file nor a folder")
    if Path(name).is_absolute():
        raise SourceError(f"{variable}={name} does not exist")
    raise SourceError(
        f"{variable}={name} is a relative path, and {path} does not exist: relative paths "
        "start in the project's root, wherever dvc or optbench is started; give an absolute path"
    )


def read_sized(path: Path, size: int) -> bytes:
    """A file of exactly `size` bytes; of one that is larger, nothing is read.

    Raises:
        Truncated: it is shorter.
        WrongContent: it is longer.
        SourceError: the system refuses to read it.
    """
    try:
        if (actual := path.stat().st_size) != size:
            kind = Truncated if actual < size else WrongContent
            raise kind(f"{path} has {actual:,} bytes, expected {size:,}")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
