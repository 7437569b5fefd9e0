"""What must be the same for work that was interrupted to go on."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from optbench.core import registry
from optbench.core.run import Run


def identity(runs: Sequence[Run], fingerprint: Mapping[str, str | int]) -> str:
    """A digest of all that the bits of runs depend on: the runs, the fingerprint, and the code."""
    values = [[asdict(run) for run in runs], dict(fingerprint)]
    digest = hashlib.sha256(json.dumps(values).encode())
    for path in loaded_sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def loaded_sources() -> list[Path]:
    """The project's files that this process has imported."""
    files = {getattr(module, "__file__", None) for module in sys.modules.values()}
    paths = {Path(file) for file in files if file}
    return sorted(path for path in paths if path.is_relative_to(registry.PACKAGE))
