"""Any changed byte of what stages wrote is refused where DVC has not looked, by name."""

import random
import re
import shutil
from pathlib import Path

import pytest
import yaml
from tests.cli.recorded import record
from tests.conftest import ROOT, Project, digits_room

from optbench.cli import advise, readme
from optbench.cli.recorded import digest_of, digests_in, require_recorded, require_report
from optbench.core.errors import UsageError
from optbench.params.load import Room

LOCK = Path("workloads/digits-cnn/dvc.lock")
ROOM = Path("workloads/digits-cnn")
CONTROL = ROOM / "control"
TABLES = (CONTROL / "trials.csv", CONTROL / "repeats.csv")
SEED = 0


@pytest.fixture
def room() -> Room:
    return digits_room()[0]


@pytest.fixture
def copied(monkeypatch, tmp_path) -> Path:
    """All that is checked of digits, in a folder of its own; what is not costs is made up."""
    shutil.copytree(ROOT / "costs/digits-cnn", tmp_path / "costs/digits-cnn")
    monkeypatch.chdir(tmp_path)
    for name in (*CHECKED, *TABLES):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(f"what {path.stem} holds\n" * 9)
    Path("results/digits-cnn/suite/sgd-step-0-9").mkdir(parents=True)
    record(LOCK, *recorded_paths(), root=tmp_path)
    record(CONTROL / "dvc.lock", *TABLES, root=tmp_path)
    return tmp_path


def flipped(content: bytes, rng: random.Random) -> bytes:
    """With one bit another."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def test_the_digest_is_the_one_that_dvc_counts(tmp_path):
    repo = Project(tmp_path)
    (tmp_path / "folder/inner").mkdir(parents=True)
    for name in ("file", "folder/b", "folder/a", "folder/inner/c"):
        (tmp_path / name).write_text(name)
    stages = {"made": {"cmd": "true", "outs": [{name: {"cache": False, "persist": True}}
                                               for name in ("file", "folder")]}}  # fmt: skip
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    repo.run("git", "init", "-q")
    repo.run("dvc", "init", "-q")
    repo.run("dvc", "repro")
    recorded = digests_in(tmp_path / "dvc.lock")
    for name in ("file", "folder"):
        assert recorded[name] == {digest_of(tmp_path / name)}


CHECKED = (
    "reports/digits-cnn/studies.csv", "reports/digits-cnn/summary.csv",
    "reports/digits-cnn/figures/final_score.svg", "costs/digits-cnn/kfac.json",
    "workloads/digits-cnn/plan/suite/sgd-step.json",
)  # fmt: skip


@pytest.mark.parametrize("name", CHECKED)
def test_any_changed_bit_is_named_with_the_ways_out(copied, room, name):
    require_report(room)  # the control
    path, rng = Path(name), random.Random(SEED)
    content = path.read_bytes()
    for _ in range(5):
        path.write_bytes(flipped(content, rng))
        with pytest.raises(UsageError, match="is not the one that") as refusal:
            require_report(room)
        named = re.match(r"(\S+) is not", str(refusal.value))[1]
        assert name.startswith(named)
        assert "`dvc repro workloads/digits-cnn/dvc.yaml` makes it again" in str(refusal.value)
        assert f"`git restore {named}`" in str(refusal.value)
    path.unlink()
    with pytest.raises(UsageError, match=r"cannot be read \(No such|is not the one that"):
        require_report(room)


def recorded_paths() -> list[Path]:
    costs = sorted(Path("costs/digits-cnn").glob("*.json"))
    names = ("studies.csv", "summary.csv", "figures")
    return [ROOM / "plan", *(Path("reports/digits-cnn", name) for name in names), *costs]


@pytest.mark.parametrize("path", TABLES, ids=[path.stem for path in TABLES])
def test_any_changed_bit_of_a_control_is_named(copied, room, path):
    require_report(room)  # the control
    content, rng = path.read_bytes(), random.Random(SEED)
    for damaged in (*(flipped(content, rng) for _ in range(20)), content[:-1], content + b"\n"):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match=rf"{path.name} is not the one that .*control/dvc\.l"):
            require_report(room)
    path.unlink()
    require_report(room)  # a control that was not carried out


def test_a_damaged_lock_file_is_named_or_refuses_what_it_records(copied):
    path, lock, rng = TABLES[0], CONTROL / "dvc.lock", random.Random(SEED)
    record(lock, path, root=copied)
    content = lock.read_bytes()
    damages = [flipped(content, rng) for _ in range(200)]
    damages += [content[: rng.randrange(len(content))] for _ in range(50)]
    damages += [b"", b"[]", b"\xff\xfe", content.decode().encode("utf-16"), b"stages: 3", b"a: ["]
    refusals = []
    for damaged in damages:
        lock.write_bytes(damaged)
        try:
            require_recorded(lock, [path])
        except UsageError as error:
            refusals.append(str(error))
    assert len(refusals) > len(damages) / 2
    for refusal in refusals:
        assert str(lock) in refusal
        assert "`git restore" in refusal or "`dvc repro" in refusal
    lock.unlink()
    with pytest.raises(UsageError, match=r"dvc\.lock is missing, by which files are checked"):
        require_recorded(lock, [path])
    require_recorded(lock, [])  # nothing to check


def test_what_no_stage_has_recorded_is_refused(copied):
    record(CONTROL / "dvc.lock", root=copied)
    with pytest.raises(UsageError, match=r"dvc\.lock records no digest of .*trials\.csv"):
        require_recorded(CONTROL / "dvc.lock", [TABLES[0]])


@pytest.mark.parametrize("command", [advise, readme])
def test_commands_check_before_they_read(monkeypatch, command):
    def refuse(*_) -> None:
        raise UsageError("looked")

    monkeypatch.chdir(ROOT)
    for name in ("require_report", "require_reports"):
        monkeypatch.setattr(command, name, refuse, raising=False)
    with pytest.raises(UsageError, match="looked"):
        command.run(["digits-cnn"], ROOT)
