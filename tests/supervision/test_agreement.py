"""On several devices a signal ends all processes after one step, whenever it comes."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.training.test_devices import together

from optbench.core.errors import UsageError
from optbench.supervision.keeper import Interrupted, Keeper
from optbench.supervision.process import PEER_LOST
from optbench.supervision.torchrun import raise_for


class World:
    """Of two processes; while this one asks, `meanwhile` happens, and the other gives `other`."""

    def __init__(self, *, is_first: bool = True) -> None:
        self.is_first, self.other = is_first, 0
        self.meanwhile = lambda: None

    def largest(self, number: int) -> int:
        self.meanwhile()
        self.meanwhile = lambda: None
        return max(number, self.other)


@pytest.fixture
def world() -> World:
    return World()


def training_of(world: World) -> SimpleNamespace:
    return SimpleNamespace(world=world, step=1, steps=9, course=SimpleNamespace(position=(0, 1)))


@pytest.fixture
def keeper(world: World):
    training = training_of(world)
    checkpoints = SimpleNamespace(save=lambda training: None)
    with Keeper(training, checkpoints) as watcher:
        yield watcher


def test_a_signal_that_comes_while_all_are_asked_is_heard_at_the_next_step(keeper, world):
    world.meanwhile = lambda: os.kill(os.getpid(), signal.SIGTERM)
    keeper.step(1)  # the others have not heard of it: this one goes on with them
    with pytest.raises(Interrupted, match="SIGTERM: stopped after step 1 of 9"):
        keeper.step(2)


def test_a_signal_of_another_process_ends_this_one(keeper, world):
    world.other = int(signal.SIGUSR1)
    with pytest.raises(Interrupted, match="SIGUSR1"):
        keeper.step(1)


def test_control_without_a_signal_it_goes_on(keeper):
    keeper.step(1)
    keeper.scored()


def test_none_ends_before_the_first_has_kept_the_step(tmp_path):
    """However long it writes: who watches the processes ends all soon after one has ended."""
    folder: Path = tmp_path / "seconds"
    together("tests.supervision.slow_save", folder, 2)
    kept, *ended = (float((folder / name).read_text()) for name in ("kept", "ended-0", "ended-1"))
    assert kept <= min(ended)


def test_the_first_waits_for_nobody_when_it_is_asked_while_it_scores(world):
    """The others do not know of it."""
    asked, kept = [], []
    world.meanwhile = lambda: asked.append(True)
    training = training_of(world)

    def score() -> None:
        with Keeper(training, SimpleNamespace(save=kept.append)) as keeper:
            signal.raise_signal(signal.SIGTERM)
            keeper.scored()

    with pytest.raises(Interrupted):
        score()
    assert kept == [training]
    assert not asked


def failure(exitcode: int, message: object = None, file: str = "", timestamp: int = 1):
    return SimpleNamespace(
        exitcode=exitcode, message=message, error_file=file, timestamp=timestamp,
        signal_name=lambda: signal.Signals(-exitcode).name,
    )  # fmt: skip


def test_the_first_that_failed_by_itself_has_the_word(tmp_path):
    file = tmp_path / "error.json"
    file.touch()
    lost = failure(PEER_LOST, "out of reach", str(file), timestamp=1)
    with pytest.raises(UsageError, match="no memory") as raised:
        raise_for({0: lost, 1: failure(3, "no memory", str(file), timestamp=2)}, 2)
    assert raised.value.exit_code == 3
    for code in (-signal.SIGTERM, 143):  # what the agent has ended, within the same second
        with pytest.raises(UsageError, match="device 1 of 2 was killed by SIGKILL"):
            raise_for({0: failure(code), 1: failure(-signal.SIGKILL)}, 2)
    with pytest.raises(UsageError, match="out of reach"):
        raise_for({0: lost}, 2)


@pytest.mark.parametrize(("number", "is_memory"), [(signal.SIGKILL, True), (signal.SIGABRT, False)])
def test_a_signal_that_killed_is_named_and_memory_where_it_may_be(number, is_memory):
    with pytest.raises(UsageError, match=f"device 1 of 2 was killed by {number.name}") as raised:
        raise_for({1: failure(-number)}, 2)
    assert ("for its memory" in str(raised.value)) == is_memory
