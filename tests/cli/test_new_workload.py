"""`optbench new workload`: a room that is valid at once, listed where DVC needs it."""

import re
import time

import pytest
from tests.conftest import Project

LIMIT_S = 10.0  # it takes one, on a quiet machine
ROOM = "workloads/digits-cnn"
# What was found in one room is not taken to another.
BEST = "best:\n  sgd-cosine: {lr: 0.1}  # best of 80 trials\n"


def text(project: Project, path: str) -> str:
    return (project.folder / path).read_text()


def tree(project: Project) -> dict[str, bytes]:
    """All files but what Python writes."""
    return {
        str(path.relative_to(project.folder)): path.read_bytes()
        for path in project.folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_it_copies_what_people_write_and_nothing_else(bare: Project):
    path = bare.folder / ROOM / "params.yaml"
    path.write_text(re.sub(r"^best:.*\n(  .*\n)*", BEST, path.read_text(), flags=re.MULTILINE))
    before = tree(bare)
    (bare.folder / ROOM / "plan").mkdir()
    (bare.folder / ROOM / "plan/run.json").write_text("{}")
    start = time.monotonic()
    output = bare.run("optbench", "new", "workload", "tiny-room_2", "--like", "digits-cnn").stdout
    assert time.monotonic() - start < LIMIT_S
    new = {path for path in tree(bare) if path not in before and path != f"{ROOM}/plan/run.json"}
    room = "workloads/tiny-room_2"
    names = ("params.yaml", "dvc.yaml", "control/dvc.yaml")
    assert new == {f"{room}/{name}" for name in names}
    assert all(f"wrote {path}" in output for path in new)
    for same in ("dvc.yaml", "control/dvc.yaml"):
        assert text(bare, f"{room}/{same}") == text(bare, f"{ROOM}/{same}")
    new_text, of_old = (text(bare, f"{place}/params.yaml") for place in (room, ROOM))
    expected = of_old.replace("name: digits-cnn", "name: tiny-room_2").replace(BEST, "best: {}\n")
    expected = re.sub(r"^sweeps:\n(  .*\n)*", "sweeps: {}\n", expected, flags=re.MULTILINE)
    assert new_text == expected  # comments and layout too
    changed = {path for path, content in before.items() if tree(bare)[path] != content}
    assert changed == {"reports/dvc.yaml"}
    assert "added to reports/dvc.yaml" in output


def test_the_index_needs_it_and_dvc_knows_its_stages(bare: Project):
    bare.run("git", "init", "-q")
    here = Project(bare.folder / ROOM)  # from any folder
    here.run("optbench", "new", "workload", "tiny", "--like", "digits-cnn")
    dag = bare.run("dvc", "dag", "--dot", "reports/dvc.yaml:index").stdout
    edges = [line.strip() for line in dag.splitlines() if "->" in line]
    assert '"workloads/tiny/dvc.yaml:report" -> "reports/dvc.yaml:index";' in edges
    assert '"workloads/digits-cnn/dvc.yaml:report" -> "reports/dvc.yaml:index";' in edges
    stages = bare.run("dvc", "stage", "list", "workloads/tiny/dvc.yaml").stdout
    assert "study@sgd-cosine-0" in stages


def test_it_can_be_planned_at_once(bare: Project):
    bare.run("optbench", "new", "workload", "tiny", "--like", "digits-cnn")
    for arguments in ([], ["tiny"]):
        bare.run("env", "PYTHONPATH=src", "python", "stages/validate.py", *arguments)
    study = bare.json("workloads/tiny/plan/suite/sgd-cosine.json")
    assert study["run"]["workload"] == "tiny"


def test_one_like_a_room_without_studies_is_not_listed(bare: Project):
    before = text(bare, "reports/dvc.yaml")
    bare.run("optbench", "new", "workload", "tiny", "--like", "cifar10-resnet18")
    assert text(bare, "reports/dvc.yaml") == before
    assert not (bare.folder / "workloads/tiny/control").exists()  # it has none


@pytest.mark.parametrize(
    ("name", "like", "message"),
    [
        ("a.b", "digits-cnn", "workload: got 'a.b': its name must be of letters"),
        ("a{b}", "digits-cnn", "workload: got 'a{b}'"),
        ("a b", "digits-cnn", "workload: got 'a b'"),
        ("../a", "digits-cnn", "workload: got '../a'"),
        ("tö", "digits-cnn", "workload: got 'tö'"),
        ("12", "digits-cnn", "workload: got '12'"),
        ("on", "digits-cnn", "workload: got 'on'"),
        ("digits-cnn", "cifar10-resnet9", "workloads/digits-cnn is there already"),
        ("figures", "digits-cnn", "reports/figures is there already"),
        ("tiny", "digits-cn", "unknown workload 'digits-cn': did you mean 'digits-cnn'?"),
    ],
)
def test_a_bad_name_is_refused_and_nothing_is_written(bare: Project, name, like, message):
    (bare.folder / "reports/figures").mkdir()
    before = tree(bare)
    done = bare.run("optbench", "new", "workload", name, "--like", like, check=False)
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert tree(bare) == before


FAULT = '''
_sound = load_room


def load_room(name, params):
    """Refuses one name."""
    if name == "tiny":
        raise UsageError("no room of this name")
    return _sound(name, params)
'''


def test_what_is_not_valid_in_the_end_is_taken_back(bare: Project):
    bare.edit("src/optbench/params/load.py", FAULT)
    before = tree(bare)
    done = bare.run("optbench", "new", "workload", "tiny", "--like", "digits-cnn", check=False)
    assert done.returncode == 1
    assert "no room of this name" in done.stdout
    assert done.stdout.endswith("Nothing was written.\n")
    assert tree(bare) == before
    bare.run("optbench", "new", "workload", "other", "--like", "digits-cnn")  # the control
