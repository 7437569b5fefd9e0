"""Signals that come where a test says."""

import signal

import pytest

from optbench.supervision.keeper import Keeper
from optbench.training.loop import Learner


@pytest.fixture
def stop_after(monkeypatch):
    """A function that lets a signal come in the given step."""

    def arrange(step: int, number: int = signal.SIGTERM) -> None:
        taken, original = 0, Learner.step

        def counted(self, batch):
            nonlocal taken
            taken += 1
            if taken == step:
                signal.raise_signal(number)
            return original(self, batch)

        monkeypatch.setattr(Learner, "step", counted)

    return arrange


@pytest.fixture
def stop_in_scoring(monkeypatch):
    """A function that lets a signal come while batches are scored, at the count-th of them."""
    scored = Keeper.scored

    def arrange(count: int) -> None:
        seen = 0

        def signalled(self):
            nonlocal seen
            seen += 1
            if seen == count:
                signal.raise_signal(signal.SIGTERM)
            scored(self)

        monkeypatch.setattr(Keeper, "scored", signalled)

    return arrange
