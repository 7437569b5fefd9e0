"""Pipelines of trivial cells, and the command under test."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import trivial
from benchmarks.trivial import CELL
from tests.conftest import ENVIRONMENT, ROOT, Project


class TrivialPipeline(Project):
    """Cells and a table that needs all of them, in a repository of its own."""

    def __init__(self, folder: Path, *, cells: int, command: str = CELL) -> None:
        super().__init__(folder)
        shutil.copytree(template().name, folder)
        names = ", ".join(map(str, range(cells)))
        text = trivial.PIPELINE.format(names=names, command=command)
        (folder / "dvc.yaml").write_text(text)

    def files(self) -> dict[str, bytes]:
        """What a run leaves behind: the lock file, results and the table."""
        paths = [self.folder / "dvc.lock", self.folder / "table.txt"]
        paths += (self.folder / "results").iterdir()
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def results(self) -> dict[str, str]:
        """The content of each cell's result."""
        return {path.name: path.read_text() for path in (self.folder / "results").iterdir()}


@cache
def template() -> TemporaryDirectory:
    """A repository to copy: to make one takes as long as to run a small pipeline."""
    folder = TemporaryDirectory()
    trivial.make(Path(folder.name), cells=1)
    Project(Path(folder.name)).commit("start")
    return folder


def optbench(*arguments: str) -> list[str]:
    """The command line of `optbench repro`, of this project's code."""
    return ["env", f"PYTHONPATH={ROOT / 'src'}", *trivial.optbench(*arguments)]


def start(project: Project, *arguments: str, **environment: str) -> subprocess.Popen:
    """`optbench repro` in its own session; its output is in `stdout`."""
    return subprocess.Popen(
        optbench(*arguments), cwd=project.folder, env={**ENVIRONMENT, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def slow(seconds: float, *, from_cell: int = 0) -> str:
    """Notes that it began and takes its time; SIGTERM ends it with what a trainer exits with.

    A file `enough` ends the waiting.
    """
    count = f"$(test ${{item.cell}} -lt {from_cell} && echo 0 || echo {10 * seconds:.0f})"
    wait = f"for i in $(seq {count}); do test -e enough && break; sleep 0.1; done"
    note = "mkdir -p began; date >> began/${item.cell}"
    return f"trap 'exit 143' TERM; {note}; {wait}; {CELL}"


def together(count: int, *, wait_s: float = 20) -> str:
    """Ends only if as many cells as `count` are there at once, wave after wave; else fails.

    A cell of the second wave sees all of the first when it starts. Those that start in place of one
    that has waited in vain come too late.
    """
    there = "$(ls began | wc -l)"
    wave = f"mkdir -p began; n=$(({count} * (1 + {there} / {count}))); touch began/${{item.cell}}"
    until = f"for i in $(seq {20 * wait_s:.0f}); do test {there} -ge $n && break; sleep 0.05; done"
    check = f"test {there} -ge $n && ! test -e late || {{ touch late; exit 1; }}"
    return f"{wave}; {until}; {check}; {CELL}"


def began(pipeline: TrivialPipeline) -> set[str]:
    """The cells that have begun."""
    return {path.name for path in (pipeline.folder / "began").glob("*")}
