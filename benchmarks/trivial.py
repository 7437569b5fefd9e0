"""A DVC project of cells that do next to nothing: what is measured is the way around them."""

import os
import subprocess
import sys
from pathlib import Path

CELL = "echo ${item.cell} > results/${item.cell}"
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(Path(__file__).parents[1] / "src"),
    "DVC_NO_ANALYTICS": "1",
}
PIPELINE = """stages:
  train:
    matrix:
      cell: [{names}]
    cmd: {command}
    deps:
    - code.py
    params:
    - lr
    plots:
    - results/${{item.cell}}:
        cache: false
  report:
    cmd: cat results/* > table.txt
    deps:
    - results
    plots:
    - table.txt:
        cache: false
"""


def make(folder: Path, *, cells: int, command: str = CELL) -> None:
    """Cells that need `params.yaml: lr` and code.py, and a table that needs all of them."""
    (folder / "results").mkdir(parents=True)
    names = ", ".join(map(str, range(cells)))
    (folder / "dvc.yaml").write_text(PIPELINE.format(names=names, command=command))
    (folder / "code.py").write_text("# code\n")
    (folder / "params.yaml").write_text("lr: 0.1\n")
    (folder / ".gitignore").write_text("/logs/\n/began/\n")
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")


def run(folder: Path, *command: str) -> None:
    """Runs a command in the project, its output thrown away."""
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)


def optbench(*arguments: str) -> list[str]:
    """The command line of `optbench repro`."""
    return [sys.executable, "-m", "optbench.cli.main", "repro", *arguments]
