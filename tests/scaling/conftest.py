import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import trivial
from tests.conftest import Project
from tests.scaling.digits import ROOM, STUDIES, WORKLOAD, copy_of, tree
from tests.scaling.trivial import TrivialPipeline


@pytest.fixture(scope="session")
def serial(tmp_path_factory) -> dict[str, bytes]:
    """What a serial `dvc repro` of 8 trivial cells leaves behind."""
    pipeline = TrivialPipeline(tmp_path_factory.mktemp("serial") / "pipeline", cells=8)
    pipeline.run("dvc", "repro", "-q")
    return pipeline.files()


@pytest.fixture
def here(monkeypatch, capfd) -> Callable[..., tuple[object, str]]:
    """`optbench repro` in this process: saves the start of another, and takes patches.

    Gives the exit code and all that is printed.
    """

    def reproduce(project: Project, *arguments: str) -> tuple[object, str]:
        _, _, module, *names = trivial.optbench(*arguments)
        monkeypatch.chdir(project.folder)
        monkeypatch.setattr(sys, "argv", [module, *names])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        return ended.value.code, "".join(capfd.readouterr())

    return reproduce


@pytest.fixture(scope="session")
def lengthened(reproduced: Path, tmp_path_factory) -> tuple[Path, dict[str, bytes]]:
    """The small pipeline whose studies take longer, and what a serial run makes of STUDIES."""
    folder = tmp_path_factory.mktemp("lengthened")
    project = copy_of(reproduced, folder / "planned")
    project.set("settings.budget", {"epochs": 6}, WORKLOAD)
    project.run("dvc", "repro", f"{ROOM}:validate")
    serial = copy_of(project.folder, folder / "serial")
    serial.run("dvc", "repro", *STUDIES)
    return project.folder, tree(serial)


@pytest.fixture
def longer(lengthened, tmp_path: Path) -> Project:
    """Its studies train long enough to be interrupted; `expected` holds what must come of them."""
    folder, serial = lengthened
    project = copy_of(folder, tmp_path / "clone")
    project.expected = serial
    assert tree(project) != serial
    return project
