"""Trainings that are stopped, and what a whole one leaves."""

from pathlib import Path

import pytest

from optbench.core import records
from optbench.core.run import Run
from optbench.supervision.supervise import train
from optbench.training.loop import fit
from optbench.training.train import weights

KEPT = Path("kept")


def files(run: Run, kept: Path | None = None) -> dict[str, bytes]:
    """The files of a run's outcome and its weights."""
    outcome, training = train(run, "test", kept)
    folder = Path("files")
    records.write(outcome, folder)
    (folder / "weights.safetensors").write_bytes(weights(training))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Stop(Exception):
    pass


class Stopper:
    """A watcher that stops after some steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step(self, step: int) -> None:
        if step == self.steps:
            raise Stop

    def scored(self) -> None:
        pass

    def point(self, point, diagnostics) -> None:
        pass


def step_until(training, steps: int) -> None:
    with pytest.raises(Stop):
        fit(training, Stopper(steps))
