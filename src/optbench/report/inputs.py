"""The measured files that a report is made of, as `sha256sum` checks them, and their digest."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from optbench.claims.publications import Publications
from optbench.core.errors import UsageError
from optbench.core.run import WORKLOADS
from optbench.report.contents import Contents

FILE = "inputs.sha256"


def listing(workloads: Iterable[Contents], publications: Publications | None = None) -> str:
    """A line a file, each once; paths are from the project's root."""
    files = {path: sha256 for contents in workloads for path, sha256 in contents.inputs.items()}
    if publications is not None:
        files[str(publications.file)] = publications.sha256
    return "".join(f"{sha256}  {path}\n" for path, sha256 in files.items())


def digest(workloads: Iterable[Contents], publications: Publications | None = None) -> str:
    """The sha256 of the listing, which every artefact carries."""
    return hashlib.sha256(listing(workloads, publications).encode()).hexdigest()


def stamp(workloads: Iterable[Contents], publications: Publications | None = None) -> str:
    """The digest in words."""
    return f"Inputs: sha256 {digest(workloads, publications)} of {FILE}"


def require_reported(contents: Contents, folder: Path) -> None:
    """Refuses scores, studies and costs other than those that a workload's report was made of.

    Claims may be newer, or another post's. This holds while DVC runs a stage too, when a lock file
    may lag behind.

    Raises:
        UsageError: names the first that differs, or the report's list, where it is missing.
    """
    path, way_out = folder / FILE, f"run `dvc repro {WORKLOADS / contents.name}/dvc.yaml`"
    try:
        listed = set(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): {way_out}") from error
    for name, sha256 in contents.inputs.items():
        if name != str(contents.claims.file) and f"{sha256}  {name}" not in listed:
            if Path(name).parent == WORKLOADS / contents.name / "control":  # no dep of the report
                way_out = f"run `dvc repro -f -s {WORKLOADS / contents.name}/dvc.yaml:report`"
            raise UsageError(f"{name} is not the one that {path} lists: {way_out}")
