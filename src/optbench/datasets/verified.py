"""A data set's files, read only if they are the ones that they should be."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from optbench.core.errors import UsageError


def read_verified(root: Path, sha256: Mapping[str, str]) -> tuple[dict[str, bytes], str]:
    """Reads files, each checked against its sha256, and returns them with their common digest.

    Raises:
        UsageError: a file is missing or its content is not the expected one.
    """
    contents: dict[str, bytes] = {}
    for name, expected in sha256.items():
        path, way_out = root / name, f"run `dvc repro data/dvc.yaml:download@{root.name}`"
        if not path.is_file():
            raise UsageError(f"{path} is missing: {way_out}")
        contents[name] = path.read_bytes()
        actual = hashlib.sha256(contents[name]).hexdigest()
        if actual != expected:
            raise UsageError(
                f"{path} is damaged: sha256 is {actual}, expected {expected}. Remove {root}, then "
                f"{way_out}"
            )
    listing = "".join(f"{sha256[name]}  {name}\n" for name in sorted(sha256))
    return contents, hashlib.sha256(listing.encode()).hexdigest()
