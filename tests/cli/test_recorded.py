"""Any changed byte of what stages wrote is refused where DVC has not looked, by name."""

import random
import re
import shutil
from pathlib import Path

import pytest
from tests.cli.recorded import record
from tests.conftest import ROOT

from optbench.cli import advise, readme
from optbench.cli.recorded import (
    digest_of,
    digests_in,
    require_recorded,
    require_report,
    require_search,
)
from optbench.core.errors import UsageError
from optbench.params.load import Room, load_params, load_room

LOCK = Path("workloads/digits-cnn/dvc.lock")
SEARCH_LOCK = Path("workloads/digits-cnn/search/dvc.lock")
SEED = 0


@pytest.fixture(scope="module")
def room() -> Room:
    return load_room("digits-cnn", load_params())


@pytest.fixture
def copied(monkeypatch, tmp_path) -> Path:
    """All that is checked of the committed digits, in a folder of its own."""
    for name in ("reports/digits-cnn", "costs/digits-cnn", "workloads/digits-cnn"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flipped(content: bytes, rng: random.Random) -> bytes:
    """With one bit another."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def test_the_digest_is_the_one_that_dvc_counts():
    recorded = digests_in(ROOT / LOCK)
    for path in ("reports/digits-cnn/figures", "costs/digits-cnn/adam.json"):
        assert recorded[path] == {digest_of(ROOT / path)}


CHECKED = (
    "reports/digits-cnn/cells.csv", "reports/digits-cnn/summary.csv",
    "reports/digits-cnn/figures/final_score.svg", "costs/digits-cnn/kfac.json",
    "workloads/digits-cnn/search/winners.yaml", "workloads/digits-cnn/plan/suite/sgd-step.json",
)  # fmt: skip


@pytest.mark.parametrize("name", CHECKED)
def test_any_changed_bit_is_named_with_the_ways_out(copied, room, name):
    record(LOCK, *recorded_paths(), root=copied)  # the committed lock may be behind the source
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
    report = [Path("reports/digits-cnn", name) for name in ("cells.csv", "summary.csv", "figures")]
    room = Path("workloads/digits-cnn")
    return [room / "plan", *report, *costs, room / "search/winners.yaml"]


def test_any_changed_bit_of_trials_is_named(copied):
    path, rng = Path("workloads/digits-cnn/search/trials.csv"), random.Random(SEED)
    record(SEARCH_LOCK, path, root=copied)
    require_search("digits-cnn")  # the control
    content = path.read_bytes()
    for damaged in (*(flipped(content, rng) for _ in range(100)), content[:-1], content + b"\n"):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"trials\.csv is not the one that .*search/dvc\.lock"):
            require_search("digits-cnn")
    path.unlink()
    require_search("digits-cnn")  # a room that was not searched


def test_a_damaged_lock_file_is_named_or_refuses_what_it_records(copied):
    path, rng = Path("workloads/digits-cnn/search/trials.csv"), random.Random(SEED)
    record(SEARCH_LOCK, path, root=copied)
    content = SEARCH_LOCK.read_bytes()
    damages = [flipped(content, rng) for _ in range(200)]
    damages += [content[: rng.randrange(len(content))] for _ in range(50)]
    damages += [b"", b"[]", b"\xff\xfe", content.decode().encode("utf-16"), b"stages: 3", b"a: ["]
    refusals = []
    for damaged in damages:
        SEARCH_LOCK.write_bytes(damaged)
        try:
            require_recorded(SEARCH_LOCK, [path])
        except UsageError as error:
            refusals.append(str(error))
    assert len(refusals) > len(damages) / 2
    for refusal in refusals:
        assert str(SEARCH_LOCK) in refusal
        assert "`git restore" in refusal or "`dvc repro" in refusal
    SEARCH_LOCK.unlink()
    with pytest.raises(UsageError, match=r"dvc\.lock is missing, by which files are checked"):
        require_recorded(SEARCH_LOCK, [path])
    require_recorded(SEARCH_LOCK, [])  # nothing to check


def test_what_no_stage_has_recorded_is_refused(copied):
    path = Path("workloads/digits-cnn/search/trials.csv")
    record(SEARCH_LOCK, root=copied)
    with pytest.raises(UsageError, match=r"dvc\.lock records no digest of .*trials\.csv"):
        require_recorded(SEARCH_LOCK, [path])


@pytest.mark.parametrize("command", [advise, readme])
def test_commands_check_before_they_read(monkeypatch, command):
    def refuse(*_) -> None:
        raise UsageError("looked")

    monkeypatch.chdir(ROOT)
    for name in ("require_report", "require_reports"):
        monkeypatch.setattr(command, name, refuse, raising=False)
    with pytest.raises(UsageError, match="looked"):
        command.run(["digits-cnn"], ROOT)
