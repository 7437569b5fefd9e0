"""Pipelines whose cells do next to nothing, so that what is measured is the way around them."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ENVIRONMENT, ROOT, Project

CELL = "echo ${item.cell} > results/${item.cell}"


class TrivialPipeline(Project):
    """Cells that need `params.yaml: lr` and code.py, and a table that needs all cells."""

    def __init__(self, folder: Path, *, cells: int, command: str = CELL) -> None:
        super().__init__(folder)
        (folder / "results").mkdir(parents=True)
        (folder / "dvc.yaml").write_text(
            "stages:\n"
            "  train:\n"
            "    matrix:\n"
            f"      cell: [{', '.join(map(str, range(cells)))}]\n"
            f"    cmd: {command}\n"
            "    deps:\n"
            "    - code.py\n"
            "    params:\n"
            "    - lr\n"
            "    plots:\n"
            "    - results/${item.cell}:\n"
            "        cache: false\n"
            "  report:\n"
            "    cmd: cat results/* > table.txt\n"
            "    deps:\n"
            "    - results\n"
            "    plots:\n"
            "    - table.txt:\n"
            "        cache: false\n"
        )
        (folder / "code.py").write_text("# code\n")
        (folder / "params.yaml").write_text("lr: 0.1\n")
        (folder / ".gitignore").write_text("/logs/\n/began/\n")
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        self.commit("start")

    def files(self) -> dict[str, bytes]:
        """What a run leaves behind: the lock file, results and the table."""
        paths = [self.folder / "dvc.lock", self.folder / "table.txt"]
        paths += (self.folder / "results").iterdir()
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


def optbench(*arguments: str) -> list[str]:
    """The command line of `optbench repro`, of this project's code."""
    return ["env", f"PYTHONPATH={ROOT / 'src'}", sys.executable, "-m", "optbench", "repro",
            *arguments]  # fmt: skip


def start(project: Project, *arguments: str, **environment: str) -> subprocess.Popen:
    """`optbench repro` in its own session; its output is in `stdout`."""
    return subprocess.Popen(
        optbench(*arguments), cwd=project.folder, env={**ENVIRONMENT, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
