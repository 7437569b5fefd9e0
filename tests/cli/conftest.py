import shutil
from pathlib import Path

import pytest
from tests.conftest import PARTIAL, ROOT, Project

FOLDERS = ("src", "stages", "workloads")
FILES = (
    "params.yaml", "claims.yaml", "evidence/published.yaml", "dvc.yaml", "data/dvc.yaml",
    "reports/dvc.yaml", "Makefile",
    "pyproject.toml", ".gitignore", ".dvcignore", ".dvc/config",
)  # fmt: skip
WRITTEN = ("plan", "trials.csv", "repeats.csv", "dvc.lock")  # by stages, in rooms


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """What people write of the project, without results, in a folder of its own."""
    return copy(tmp_path / "bare")


def copy(folder: Path) -> Project:
    for name in FOLDERS:
        ignored = WRITTEN if name == "workloads" else (PARTIAL,)
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*ignored))
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return Project(folder)
