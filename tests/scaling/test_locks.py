"""Lock files are whole after a kill in the middle of writing, and a cut one is not believed."""

import shutil
import signal
from itertools import count
from pathlib import Path

import pytest
from dvc import dvcfile
from dvc.repo import Repo
from tests.conftest import ENVIRONMENT, ROOT
from tests.scaling.trivial import TrivialPipeline, optbench
from tests.warm import warm

from optbench.core.errors import UsageError
from optbench.scaling.locks import require_whole, written_whole


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch) -> TrivialPipeline:
    made = TrivialPipeline(tmp_path / "pipeline", cells=3)
    made.run("dvc", "repro", "-q")
    made.commit("results")
    monkeypatch.chdir(made.folder)
    return made


class Killed(BaseException):
    """In place of a signal that ends the process."""


def write_and_be_killed(monkeypatch) -> None:
    """Has DVC write an entry, and stops it when half of the file is there."""
    with Repo() as repo:
        stage = next(s for s in repo.index.stages if s.addressing == "train@1")
        stage.cmd = "something else"

        def cut(data, stream):
            stream.write("schema: '2.0'\nstages:\n  train@0:\n")
            raise Killed

        monkeypatch.setattr("dvc.utils.serialize._yaml._dump", cut)
        with repo.lock:
            stage.dvcfile.dump_stages([stage], update_pipeline=False)


def test_a_kill_while_dvc_writes_leaves_the_file_as_it_was(pipeline, monkeypatch):
    before = Path("dvc.lock").read_bytes()
    with pytest.raises(Killed), written_whole():
        write_and_be_killed(monkeypatch)
    assert Path("dvc.lock").read_bytes() == before
    assert sorted(path.name for path in Path().glob(".dvc.lock*")) == []


def test_control_dvc_itself_leaves_it_cut(pipeline, monkeypatch):
    before = Path("dvc.lock").read_bytes()
    with pytest.raises(Killed):
        write_and_be_killed(monkeypatch)
    assert Path("dvc.lock").read_bytes() != before


FAILPOINT = str(ROOT / "tests/scaling/lock_failpoint.py")
KILLED = {"before": -signal.SIGKILL, "half": -signal.SIGXFSZ}


def left_by_kills(pipeline: TrivialPipeline, old: bytes, *, how: str, writer: str) -> list[bytes]:
    """The lock file after a kill at each step of writing it in turn, and after none, at last."""
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    left = []
    for step in count(1):
        Path("dvc.lock").write_bytes(old)
        command = (FAILPOINT, str(step), how, writer)
        done = warm().run(*command, cwd=pipeline.folder, env=environment)
        left.append(Path("dvc.lock").read_bytes())
        if done.returncode == 0:
            return left
        assert done.returncode == KILLED[how], done.stdout
        assert "??" not in pipeline.run("git", "status", "--porcelain").stdout  # copies are ignored
    raise AssertionError


@pytest.fixture
def locks(pipeline) -> tuple[bytes, bytes]:
    """The lock file before and after all stages have run with another param; it is as before."""
    shutil.copy(ROOT / ".gitignore", ".")
    old = Path("dvc.lock").read_bytes()
    Path("params.yaml").write_text("lr: 0.2\n")
    pipeline.run(*optbench())
    new = Path("dvc.lock").read_bytes()
    assert new != old
    return old, new


@pytest.mark.parametrize("how", KILLED)
def test_killed_at_any_step_of_writing_it_the_lock_is_the_old_or_the_new(pipeline, locks, how):
    """By the kernel, so that no `finally` tidies up; and the next start needs no help."""
    old, new = locks
    *killed, undisturbed = left_by_kills(pipeline, old, how=how, writer="whole")
    assert len(killed) > 2
    assert set(killed) == ({old, new} if how == "before" else {old})
    assert undisturbed == new


def test_control_killed_while_dvc_writes_in_place_the_lock_is_cut(pipeline, locks):
    cut, whole = left_by_kills(pipeline, locks[0], how="half", writer="in-place")
    assert whole == locks[1]
    assert cut not in locks
    assert locks[1].startswith(cut)
    Path("dvc.lock").write_bytes(cut)
    with pytest.raises(UsageError, match=r"is damaged|lacks what Git has"):
        require_whole()


def test_what_is_written_whole_is_what_dvc_writes(pipeline):
    serial = Path("dvc.lock").read_bytes()
    Path("dvc.lock").unlink()
    original = dvcfile.modify_yaml
    with Repo() as repo, written_whole():
        repo.reproduce()
    assert dvcfile.modify_yaml is original
    assert Path("dvc.lock").read_bytes() == serial


@pytest.mark.parametrize("damage", [b"", b"schema: '2.0'\n", b"a: [", b"\xff\xfe", b"stages: 3\n"])
def test_a_damaged_lock_is_named_with_the_way_out(pipeline, damage):
    require_whole()  # the control
    Path("dvc.lock").write_bytes(damage)
    with pytest.raises(UsageError, match=r"dvc\.lock: is damaged: .*`git restore dvc\.lock`"):
        require_whole()


def test_a_lock_that_was_cut_between_two_entries_is_not_believed(pipeline):
    text = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(text[: text.index("  train@1:")])
    with pytest.raises(
        UsageError, match=r"lacks what Git has of report, and 2 more: .*git restore"
    ):
        require_whole()


def test_control_what_is_no_stage_any_more_may_go_and_a_new_one_come(pipeline):
    text = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(text.replace("  report:", "  extra:"))
    with pytest.raises(UsageError, match="lacks what Git has of report, and 0 more"):
        require_whole()
    stages = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(stages[: stages.index("  report:")])
    require_whole()
    Path("dvc.lock").unlink()  # taken away on purpose
    require_whole()
