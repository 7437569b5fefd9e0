"""A folder that holds the project's params.yaml, a room's, and nothing else."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.params.documents import write_all

import optbench.tasks
from optbench.core.registry import PACKAGE
from optbench.params import signatures

KINDS = ("datasets", "models", "optimizers", "schedules", "tasks")
CACHED = (signatures.names, signatures.arguments, signatures.constant, signatures._module)


@pytest.fixture(autouse=True)
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder; it is the working directory."""
    folder = tmp_path / "house"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_all()
    return folder


@pytest.fixture
def add_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[str, str, str], None]]:
    """A function that adds a part's file, of a kind and name, beside those that there are."""
    package = tmp_path / "package"
    for kind in KINDS:
        shutil.copytree(PACKAGE / kind, package / kind)
    monkeypatch.setattr(signatures, "PACKAGE", package)
    monkeypatch.setattr(
        signatures,
        "source",
        lambda kind, name: (
            package / kind / (f"{name}/task.py" if kind == "tasks" else f"{name}.py")
        ),
    )
    monkeypatch.setattr(optbench.tasks, "__path__", [str(package / "tasks")])
    known = set(sys.modules)

    def add(kind: str, name: str, text: str) -> None:
        path = package / kind / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        forget()

    forget()
    yield add
    for module in set(sys.modules) - known:
        if module.startswith("optbench.tasks"):
            del sys.modules[module]
    forget()


def forget() -> None:
    """Files are read once a process, and these have changed."""
    for function in CACHED:
        function.cache_clear()
