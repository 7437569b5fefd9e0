"""The measured files that a report is made of, as `sha256sum` checks them, and their digest."""

import hashlib
from collections.abc import Iterable, Mapping

from optbench.report import style
from optbench.report.contents import Contents

FILE = "inputs.sha256"


def listing(workloads: Iterable[Contents]) -> str:
    """A line a file, each once; paths are from the project's root."""
    files: Mapping[str, str] = {
        path: sha256 for contents in workloads for path, sha256 in contents.inputs.items()
    }
    return "".join(f"{sha256}  {path}\n" for path, sha256 in files.items())


def digest(workloads: Iterable[Contents]) -> str:
    """The sha256 of the listing, which every artefact carries."""
    return hashlib.sha256(listing(workloads).encode()).hexdigest()


def stamp(workloads: Iterable[Contents]) -> str:
    """The digest in words."""
    return style.stamp(listing(workloads), FILE)
