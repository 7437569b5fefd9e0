"""When a training is kept, on a clock that is told how long everything takes."""

import pytest
import torch
from tests.conftest import digits_run

from optbench.core.errors import UsageError
from optbench.supervision import keeper
from optbench.supervision.keeper import VARIABLE, Keeper
from optbench.supervision.supervise import train
from optbench.training.assembly import prepare


class Clock:
    """Time that passes only where it is told to."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kept_at(digits, monkeypatch):
    """The steps at which a training of 600 steps, 1 s each, is kept; a write takes `write_s`."""

    def steps(write_s: float, *, points=30, steps_per_point=20) -> list[int]:
        clock, saved = Clock(), []
        monkeypatch.setattr(keeper.time, "monotonic", clock)

        class Slow:
            def save(self, training) -> None:
                clock.now += write_s
                saved.append(training.step)

        training = prepare(digits_run())
        with Keeper(training, Slow()) as watcher:
            for step in range(1, points * steps_per_point + 1):
                clock.now += 1
                training.course.losses.append(torch.zeros(()))
                monkeypatch.setattr(type(training), "step", step, raising=False)
                watcher.step(step)
                if step % steps_per_point == 0:
                    watcher.point(None, [])
        return saved

    return steps


def test_checkpoints_are_written_each_minute_and_at_each_point(kept_at):
    assert kept_at(0.01) == list(range(20, 601, 20))
    assert kept_at(0.01, points=3, steps_per_point=200) == [
        60, 120, 180, 200, 260, 320, 380, 400, 460, 520, 580, 600,
    ]  # fmt: skip


def test_slow_writes_take_no_more_than_their_share(kept_at):
    saved = kept_at(3.0)
    assert 3 <= len(saved) <= 600 * 0.02 / 3 + 1


@pytest.mark.parametrize("text", ["0", "7", "1e9"])
def test_the_seconds_between_two_can_be_chosen(kept_at, monkeypatch, text):
    """However slow a write is. A point is always kept."""
    monkeypatch.setenv(VARIABLE, text)
    saved = kept_at(0.5)
    gaps = {after - before for before, after in zip([0, *saved], saved, strict=False)}
    assert set(range(20, 601, 20)) <= set(saved)
    assert max(gaps) == {"0": 1, "7": 7, "1e9": 20}[text]


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf"])
def test_another_text_is_refused(digits, tmp_path, monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=f"{VARIABLE}: got '{text}': must be a number"):
        train(digits_run(), "test", tmp_path / "kept")
