"""One process at a time for a piece of work."""

import subprocess
import sys

import pytest
from tests.conftest import ROOT

from optbench.core.errors import Busy, UsageError
from optbench.supervision.lock import LOCKS, exclusive

HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from optbench.supervision.lock import exclusive
with exclusive("digits-cnn/run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(monkeypatch, tmp_path):
    """Another process that holds the lock."""
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ROOT / "src")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_the_first_is(holder):
    with (
        pytest.raises(Busy, match=f"digits-cnn/run is in work by process {holder.pid} on "),
        exclusive("digits-cnn/run"),
    ):
        raise AssertionError
    with exclusive("digits-cnn/sgd-cosine-0"):  # the control: other work
        pass


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_a_lock_ends_with_its_process(holder, how):
    if how == "ends":
        holder.communicate()
    else:
        holder.kill()
        holder.wait()
    with exclusive("digits-cnn/run"):
        pass
    with exclusive("digits-cnn/run"):  # and with its block
        pass


def test_a_folder_that_refuses_is_told(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    LOCKS.parent.mkdir()
    LOCKS.write_text("a file in its place")
    with pytest.raises(UsageError, match="scratch/locks"), exclusive("digits-cnn/run"):
        raise AssertionError
