"""A small workload that really trains, by `dvc repro` and by `optbench repro`."""

import shutil
from pathlib import Path

from tests.conftest import Project

WORKLOAD = "digits-cnn"
ROOM = f"workloads/{WORKLOAD}/dvc.yaml"
STUDIES = tuple(f"{ROOM}:study@{optimizer}-cosine-0" for optimizer in ("sgd", "adam"))
PRODUCED = ("results", "reports", "models", "dvc.lock", "data/dvc.lock", "workloads")


def kept(study: str) -> str:
    """Where checkpoints of a study's trials are, as a pattern; one of `*`: of any study."""
    return f"scratch/studies/{WORKLOAD}/{study}/*/checkpoints/*/*.checkpoint"


def copy_of(project: Path, folder: Path) -> Project:
    """A copy of a project, DVC's cache included."""
    shutil.copytree(project, folder, symlinks=True)
    return Project(folder)


def untrain(project: Project) -> None:
    """Takes away all that a run has made but for costs, and what DVC remembers of it."""
    for name in ("results", "reports", "models", ".dvc/cache/runs"):
        for path in (project.folder / name).iterdir():
            if path.name != "dvc.yaml":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for lock in project.folder.rglob("dvc.lock"):
        lock.unlink()


def tree(project: Project) -> dict[str, bytes]:
    """All that a run leaves behind, locks included."""
    paths = [project.folder / name for name in PRODUCED]
    files = [path for top in paths for path in ([top] if top.is_file() else top.rglob("*"))]
    return {
        str(file.relative_to(project.folder)): file.read_bytes()
        for file in files
        if file.is_file() and file.suffix != ".yaml"
    }


def log_of(project: Project, stage: str) -> str:
    """What a stage that was run by `optbench repro` has printed."""
    return (project.folder / f"logs/stages/{stage.replace('dvc.yaml:', '')}.log").read_text()
