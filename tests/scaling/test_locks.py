"""Lock files are whole after a kill in the middle of writing, and a cut one is not believed."""

from pathlib import Path

import pytest
from dvc import dvcfile
from dvc.repo import Repo
from tests.scaling.trivial import TrivialPipeline

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
