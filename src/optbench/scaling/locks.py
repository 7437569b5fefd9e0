"""dvc.lock files: written whole, and not believed where they are cut.

DVC writes them in place. A kill in that moment leaves an empty or a shorter file: an empty one DVC
refuses without a way out; by a shorter one, it trains again what is missing.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from dvc import dvcfile

from optbench.core.errors import UsageError
from optbench.core.files import publish

LOCK = "dvc.lock"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a lock file has thousands of lines


@contextmanager
def written_whole() -> Iterator[None]:
    """Within, DVC's entries go into a copy, which then takes the place of the file.

    Raises:
        UsageError: the disk refuses; the file is as it was.
    """
    original = dvcfile.modify_yaml

    @contextmanager
    def modify(path: str, fs: Any = None) -> Iterator[Any]:
        place = Path(path)
        copy = place.with_name(f".{place.name}.copy")
        if place.exists():
            shutil.copyfile(place, copy)
        try:
            with original(str(copy), fs=fs) as data:
                yield data
            publish(place, copy.read_bytes())
        finally:
            copy.unlink(missing_ok=True)

    dvcfile.modify_yaml = modify
    try:
        yield
    finally:
        dvcfile.modify_yaml = original


def require_whole() -> None:
    """Refuses lock files that are no YAML, or lack what Git has of stages that there are.

    Raises:
        UsageError: names each, and the way out.
    """
    problems = [
        f"{path}: {problem}: a kill or a full disk has cut it: `git restore {path}` takes back "
        "what is committed, and what was trained since comes from DVC's run-cache"
        for path in _committed()
        if Path(path).exists() and (problem := _problem(Path(path)))
    ]
    if problems:
        raise UsageError("\n".join(problems))


def _problem(path: Path) -> str | None:
    """What is wrong with a lock file."""
    try:
        present = stages_in(path.read_bytes())
    except (ValueError, yaml.YAMLError):
        return "is damaged"
    defined = _defined(path.with_suffix(".yaml"))
    committed = stages_in(_git("show", f"HEAD:./{path}"))
    lost = [name for name in committed.keys() - present.keys() if name.partition("@")[0] in defined]
    return f"lacks what Git has of {min(lost)}, and {len(lost) - 1} more" if lost else None


def stages_in(content: bytes) -> dict[str, Any]:
    """What a lock file records of each stage, by the stage's name.

    Raises:
        ValueError, yaml.YAMLError: it is no lock file.
    """
    document = LOADER(content).get_single_data()
    stages = document.get("stages") if isinstance(document, dict) else None
    if not isinstance(stages, dict):
        raise ValueError("it has no stages")
    return stages


def _defined(pipeline: Path) -> set[str]:
    """The names of stages in a dvc.yaml, without their items; none where DVC will refuse it."""
    try:
        document = yaml.safe_load(pipeline.read_bytes())
        return set(document["stages"])
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return set()


def _committed() -> list[str]:
    """The lock files in Git's last commit; none without Git."""
    listing = _git("ls-tree", "-r", "-z", "--name-only", "HEAD").decode()
    return [path for path in listing.split("\0") if Path(path).name == LOCK]


def _git(*arguments: str) -> bytes:
    """What Git prints; nothing where it fails."""
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, check=False).stdout
