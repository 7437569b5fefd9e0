"""Lock files as DVC leaves them, for files that a test writes in a stage's place."""

from pathlib import Path

import yaml

from optbench.cli.recorded import digest_of


def record(lock: Path, *paths: Path, root: Path) -> None:
    """Writes a lock file that records files as a stage's; their paths are from the root."""
    outs = [
        {"path": path.as_posix(), "hash": "md5", "md5": digest_of(root / path)} for path in paths
    ]
    (root / lock).write_text(yaml.safe_dump({"schema": "2.0", "stages": {"made": {"outs": outs}}}))
