"""Starts the command `optbench` of the project that a person stands in, with that project's code.

The Makefile has .venv/bin/optbench call this file. So a clone elsewhere, and the temporary copy of
a queued experiment, run what is in them, and so do all processes that they start.
"""

import importlib
import os
import sys
from pathlib import Path


def root_of(folder: Path) -> Path | None:
    """The project that a folder is in: the nearest folder upwards that looks like one."""
    upwards = (folder, *folder.parents)
    return next(
        (f for f in upwards if (f / "dvc.yaml").is_file() and (f / "src/optbench").is_dir()), None
    )


def launch() -> int:
    """Goes to the project's root and runs the command; returns its exit code."""
    standing = Path.cwd()
    root = root_of(standing)
    if root is None:
        print(
            f"{standing} is in no project: `optbench` needs a folder with dvc.yaml and "
            "src/optbench, here or above: cd to one",
            file=sys.stderr,
        )
        return 1
    source = str(root / "src")
    sys.path[0] = source  # in place of this file's folder
    prepend("PYTHONPATH", source)
    prepend("PATH", str(Path(sys.executable).parent))  # where DVC and stages find `python`
    os.environ["MPLBACKEND"] = "agg"  # a notebook names another, which need not be here
    os.chdir(root)
    code: int = importlib.import_module("optbench.cli.main").main(sys.argv[1:], standing)
    return code


def prepend(variable: str, folder: str) -> None:
    """Puts a folder before all others of a variable of the environment."""
    others = os.environ.get(variable)
    os.environ[variable] = f"{folder}{os.pathsep}{others}" if others else folder


if __name__ == "__main__":
    sys.exit(launch())
