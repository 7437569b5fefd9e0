"""What must be the same for work that was interrupted to go on."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from optbench.core.run import Run


def identity(runs: Sequence[Run], fingerprint: Mapping[str, str | int]) -> str:
    """A digest of all that the bits of runs depend on: the runs and their code, the fingerprint."""
    values = [[run.as_dict() for run in runs], dict(fingerprint)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
