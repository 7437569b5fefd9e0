"""A stage's process ends in sentences, whatever became of its streams."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.conftest import ENVIRONMENT, ROOT
from torch import distributed

from optbench.core.errors import UsageError
from optbench.supervision.process import as_stage

STAGE = """
import sys
from optbench.supervision.process import as_stage

with as_stage():
    print("to nobody")
    print("nor this", file=sys.stderr)
    assert sys.stdin.read() == ""
    with open("written", "w") as file:
        assert file.fileno() > 2
        file.write("all")
"""
TALKATIVE = """
from optbench.supervision.process import as_stage

with as_stage():
    for number in range(100_000):
        print(number)
"""


def shell(command: str, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "stage.py").write_text(code)
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("STAGE", f"{sys.executable} stage.py")],
        cwd=folder, env={**ENVIRONMENT, "PYTHONPATH": str(ROOT / "src")}, text=True, check=False,
        capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nobodys_loss(tmp_path, closed):
    done = shell(f"STAGE {closed if '<' in closed else closed + ' < /dev/null'}", STAGE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "written").read_text() == "all"


def test_a_reader_that_leaves_early_sees_no_traceback(tmp_path):
    done = shell("STAGE | head -n 1", TALKATIVE, tmp_path)
    assert done.stdout == "0\n"
    assert done.stderr == ""
    assert done.returncode == 141


def test_control_without_as_stage_both_end_in_a_traceback(tmp_path):
    bare = TALKATIVE.replace("with as_stage():", "if as_stage:")
    assert "BrokenPipeError" in shell("STAGE | head -n 1", bare, tmp_path).stderr
    closed = "import sys\nfrom optbench.supervision import process\nprint(sys.stdout.isatty())\n"
    assert "NoneType" in shell("STAGE >&-", closed, tmp_path).stderr


@pytest.mark.parametrize(("code", "is_left"), [(None, True), (143, True), (1, False)])
def test_it_parts_from_other_processes_where_nothing_is_on_its_way(code, is_left, monkeypatch):
    """At its end, and where it was asked to end; else what is on its way would be waited for."""
    monkeypatch.delenv("DVC_STAGE", raising=False)

    def stage() -> None:
        with as_stage():
            distributed.init_process_group(
                "gloo", store=distributed.HashStore(), rank=0, world_size=1
            )
            if code:
                error = UsageError("ended")
                error.exit_code = code
                raise error

    with pytest.raises(SystemExit) if code else nullcontext():
        stage()
    try:
        assert distributed.is_initialized() != is_left
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
