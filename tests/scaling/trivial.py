"""Pipelines of trivial cells, and the command under test."""

import subprocess
from pathlib import Path

from benchmarks import trivial
from benchmarks.trivial import CELL
from tests.conftest import ENVIRONMENT, ROOT, Project


class TrivialPipeline(Project):
    """Cells and a table that needs all of them, in a repository of its own."""

    def __init__(self, folder: Path, *, cells: int, command: str = CELL) -> None:
        super().__init__(folder)
        trivial.make(folder, cells=cells, command=command)
        self.commit("start")

    def files(self) -> dict[str, bytes]:
        """What a run leaves behind: the lock file, results and the table."""
        paths = [self.folder / "dvc.lock", self.folder / "table.txt"]
        paths += (self.folder / "results").iterdir()
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


def optbench(*arguments: str) -> list[str]:
    """The command line of `optbench repro`, of this project's code."""
    return ["env", f"PYTHONPATH={ROOT / 'src'}", *trivial.optbench(*arguments)]


def start(project: Project, *arguments: str, **environment: str) -> subprocess.Popen:
    """`optbench repro` in its own session; its output is in `stdout`."""
    return subprocess.Popen(
        optbench(*arguments), cwd=project.folder, env={**ENVIRONMENT, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
