"""Files that appear whole or not at all, whatever happens to the process or the machine."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from optbench.core.errors import UsageError


def publish(path: Path, content: str | bytes) -> None:
    """Writes a file beside its place and renames it, so that nobody sees half of it.

    File and folder are synchronised with the disk: what was renamed survives a power cut.

    Raises:
        UsageError: the disk is full, read-only, or refuses; what stood in the place is untouched.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _synchronise(path.parent)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def require_writable(folder: Path) -> None:
    """Makes a folder and tries to write there, so that hours of work do not end at a closed door.

    Raises:
        UsageError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"{folder}/ cannot be written: {error.strerror}") from error


def _synchronise(folder: Path) -> None:
    """Writes a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
