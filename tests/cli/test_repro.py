"""Targets of `optbench repro` mean what they mean to `dvc repro` in the same folder."""

from pathlib import Path

import pytest
from dvc.repo import Repo
from tests.conftest import Project

from optbench.cli.repro import from_here

ROOM = "workloads/digits-cnn"


@pytest.mark.parametrize(
    ("target", "folder", "expected"),
    [
        ("dvc.yaml", ROOM, f"{ROOM}/dvc.yaml"),
        ("run", ROOM, f"{ROOM}/dvc.yaml:run"),
        ("study@sgd-cosine-0-9", ROOM, f"{ROOM}/dvc.yaml:study@sgd-cosine-0-9"),
        ("control/dvc.yaml", ROOM, f"{ROOM}/control/dvc.yaml"),
        ("control/dvc.yaml:control", ROOM, f"{ROOM}/control/dvc.yaml:control"),
        ("../../data/dvc.yaml:download@digits", ROOM, "data/dvc.yaml:download@digits"),
        ("../dvc.yaml:run", f"{ROOM}/control", f"{ROOM}/dvc.yaml:run"),
        ("../../results/digits-cnn/run", ROOM, "results/digits-cnn/run"),
        ("digits-cnn/dvc.yaml", "workloads", f"{ROOM}/dvc.yaml"),
        ("validate", "src", "validate"),  # no stages there: those of the root
        ("validate", ".", "validate"),
        (f"{ROOM}/dvc.yaml:run", ".", f"{ROOM}/dvc.yaml:run"),
    ],
)
def test_a_target_is_relative_to_where_one_stands(
    bare: Project, monkeypatch, target, folder, expected
):
    monkeypatch.chdir(bare.folder)
    assert from_here(target, bare.folder / folder) == expected


def test_control_dvc_takes_the_same_stage_for_it(bare: Project, monkeypatch):
    bare.run("git", "init", "-q")
    room = bare.folder / ROOM

    def stages(target: str, folder: Path) -> list[str]:
        monkeypatch.chdir(folder)
        with Repo() as repo:
            return [str(Path(s.path).relative_to(bare.folder)) + ":" + s.name
                    for s in repo.stage.collect(target)]  # fmt: skip

    for target in ("run", "dvc.yaml:run", "study@sgd-cosine-0-9", "control/dvc.yaml:control"):
        monkeypatch.chdir(bare.folder)
        from_root = from_here(target, room)
        assert stages(from_root, bare.folder) == stages(target, room) != []


def test_an_unknown_target_is_told_by_its_path_from_the_root(bare: Project):
    bare.run("git", "init", "-q")
    here = Project(bare.folder / ROOM)
    done = here.run("optbench", "repro", "sutdy@sgd-cosine-0", check=False)
    assert done.returncode == 1
    assert "sutdy@sgd-cosine-0" in done.stdout
    assert "Traceback" not in done.stdout
