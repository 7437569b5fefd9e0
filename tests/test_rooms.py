"""Every room has the same stages, all that a workload needs is in its room, and plans are fresh."""

from pathlib import Path

import pytest
import yaml

from optbench.params.code import code_lines, digests, read_digests
from optbench.params.load import load_params, load_room, rooms
from optbench.params.plan import write_plan
from optbench.params.schema import RoomDocument, keys
from tests.conftest import ROOT, copy_tracked_files

ROOMS = sorted(path.parent for path in (ROOT / "workloads").glob("*/params.yaml"))


def test_all_rooms_have_the_same_bytes_as_stages():
    assert len(ROOMS) > 1
    assert len({(room / "dvc.yaml").read_bytes() for room in ROOMS}) == 1


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_with_a_control_or_sweeps_has_their_stages(room):
    params = yaml.safe_load((room / "params.yaml").read_text())
    for section, place in (("control", "control"), ("sweeps", "sweeps")):
        assert bool(params.get(section)) == (room / place / "dvc.yaml").is_file()


def test_no_key_stands_in_a_room_and_in_the_project():
    """DVC refuses it."""
    project = set(yaml.safe_load((ROOT / "params.yaml").read_text()))
    for room in ROOMS:
        assert not project & set(yaml.safe_load((room / "params.yaml").read_text()))


def test_no_workload_is_named_outside_of_its_room():
    """But in examples of the command line, and where DVC needs a list."""
    names = [room.name for room in ROOMS]
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]
    for file in files:
        if file.parent.name != "cli":
            code = code_of(file.read_text())
            assert not [name for name in names if name in code], file


def code_of(text: str) -> str:
    """A source text without comments and docstrings."""
    return "\n".join(code_lines(text))


def test_the_committed_plans_are_fresh(tmp_path: Path, monkeypatch):
    """They are what `validate` writes; the control is an edit of a room."""
    copy_tracked_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    code = read_digests()
    assert code == digests()
    params = load_params()

    def contents(name: str) -> dict[str, bytes]:
        plan = tmp_path / "workloads" / name / "plan"
        return {str(f.relative_to(plan)): f.read_bytes() for f in plan.rglob("*.json")}

    for name in rooms():
        before = contents(name)
        if before:  # a room without cells may never have been planned
            write_plan(load_room(name, params), params, code)
            assert contents(name) == before
    file = Path("workloads/digits-cnn/params.yaml")
    file.write_text(file.read_text().replace("epochs: 10", "epochs: 11"))
    before = contents("digits-cnn")
    write_plan(load_room("digits-cnn", params), params, code)
    assert contents("digits-cnn") != before


def test_every_key_of_a_room_is_read():
    for room in ROOMS:
        written = set(yaml.safe_load((room / "params.yaml").read_text()))
        assert written | {"control", "sweeps"} == set(keys(RoomDocument))
