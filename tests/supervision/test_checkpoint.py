"""What is kept of a training, and that nothing damaged is believed."""

import os
from pathlib import Path

import pytest
import torch
from tests.conftest import digits_run
from tests.supervision.stops import KEPT, files

from optbench.core.errors import UsageError
from optbench.supervision.checkpoint import Checkpoints, put, state_of
from optbench.supervision.keeper import VARIABLE, Interrupted
from optbench.supervision.supervise import train
from optbench.training.assembly import prepare

pytestmark = pytest.mark.usefixtures("digits")


def test_torchs_generators_are_kept():
    training = prepare(digits_run())
    torch.rand(3)
    state = state_of(training)
    drawn = torch.rand(5)
    put(state, training)
    assert torch.equal(torch.rand(5), drawn)


def test_the_last_two_checkpoints_are_kept(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    train(digits_run(), "test", KEPT)
    names = sorted(path.name for path in KEPT.glob("*/*"))
    assert names == ["000000043.checkpoint", "000000044.checkpoint"]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    else:
        content[{"header": 10, "middle": len(content) // 2, "end": -1}[how]] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "empty", "header", "middle", "end"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_used(
    stop_after, monkeypatch, capsys, how, count
):
    run = digits_run("adam")
    whole = files(run)
    monkeypatch.setenv(VARIABLE, "0")
    stop_after(10)
    with pytest.raises(Interrupted):
        train(run, "test", KEPT)
    paths = sorted(KEPT.glob("*/*"))
    for path in paths[-count:]:
        damage(path, how)
    capsys.readouterr()
    assert files(run, KEPT) == whole
    captured = capsys.readouterr()
    for path in paths[-count:]:
        assert f"warning: {path} is damaged" in captured.err
    assert ("goes on after step 9 of 44" in captured.out) == (count == 1)


def test_only_the_number_of_steps_tells_which_is_the_latest(stop_after, monkeypatch):
    """A clock that was set back changes nothing."""
    monkeypatch.setenv(VARIABLE, "0")
    stop_after(10)
    with pytest.raises(Interrupted):
        train(digits_run(), "test", KEPT)
    older, newer = sorted(KEPT.glob("*/*"))
    os.utime(newer, (0, 0))
    training = prepare(digits_run())
    assert Checkpoints(newer.parent).restore(training)
    assert training.step == 10
    assert older.exists()


def test_an_optimizer_that_hides_state_is_found_out(stop_after, monkeypatch):
    """Its state_dict and load_state_dict do not agree."""
    stop_after(5)
    run = digits_run()
    with pytest.raises(Interrupted):
        train(run, "test", KEPT)
    monkeypatch.setattr(torch.optim.SGD, "load_state_dict", lambda self, state: None)
    with pytest.raises(UsageError, match="SGD or the network does not restore its own state"):
        train(run, "test", KEPT)
