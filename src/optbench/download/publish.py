"""Puts a data set's files into place, all at once and only when each has its sha256."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.download.errors import WrongContent
from optbench.download.http import sha256_of


def publish_folder(contents: Mapping[str, bytes], sha256: Mapping[str, str], target: Path) -> None:
    """Verifies the files, writes them beside `target`, then renames the folder.

    Raises:
        WrongContent: a file is missing or its sha256 differs; nothing is published.
        UsageError: the disk refuses; nothing is published.
    """
    check(contents, sha256)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in sha256:
        publish(partial / name, contents[name])
    try:
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be replaced: {error.strerror}") from error


def check(contents: Mapping[str, bytes], sha256: Mapping[str, str]) -> None:
    """Compares contents with their expected digests.

    Raises:
        WrongContent: names the first file that is missing or differs.
    """
    for name, expected in sha256.items():
        if name not in contents:
            raise WrongContent(f"{name} is missing")
        actual = hashlib.sha256(contents[name]).hexdigest()
        if actual != expected:
            raise WrongContent(f"{name} has sha256 {actual}, expected {expected}")


def is_complete(target: Path, sha256: Mapping[str, str]) -> bool:
    """Whether a folder holds exactly these files, and they can be read."""
    try:
        if not target.is_dir() or {path.name for path in target.iterdir()} != set(sha256):
            return False
        return all(sha256_of(target / name) == expected for name, expected in sha256.items())
    except OSError:
        return False
