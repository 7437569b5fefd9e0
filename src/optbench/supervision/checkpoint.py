"""What a killed training goes on from.

A checkpoint is one file: a line with the sha256 of the rest, and the rest in safetensors. It holds
the network, the optimizer (with lr and momentum, which the schedule has set), torch's generators,
and the course so far. The last two are kept, since the last may be damaged.
"""

import hashlib
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.records import Diagnostic, Point
from optbench.supervision.state import pack, unpack
from optbench.training.loop import Training

KEPT = 2


class Checkpoints:
    """The checkpoints of one run under one identity, in one folder."""

    def __init__(self, folder: Path) -> None:
        """`folder`: named after the run's `identity`, so that nothing else is ever read."""
        self.folder = folder

    def save(self, training: Training) -> None:
        """Writes the state of a training between two steps.

        Raises:
            UsageError: the disk refuses, and the older checkpoints are untouched; or the state
                holds what cannot be written.
        """
        content = pack(state_of(training))
        publish(self.folder / f"{training.step:09d}.checkpoint", _header(content) + content)
        for old in self._files()[:-KEPT]:
            old.unlink()

    def restore(self, training: Training) -> bool:
        """Puts a training where the latest sound checkpoint left it; whether there was one.

        On several devices the first process reads it, for all.

        Raises:
            UsageError: what was restored is not what was saved, to the bit.
        """
        content = training.world.first_bytes(self._latest() if training.world.is_first else b"")
        if not content:
            return False
        put(unpack(content), training)
        if pack(state_of(training)) != content:
            raise UsageError(
                f"{type(training.learner.optimizer).__name__} or the network does not restore its "
                f"own state from {self.folder}: its state_dict and load_state_dict must carry all "
                "state to the bit; remove that folder to start again"
            )
        return True

    def _latest(self) -> bytes:
        """The latest sound checkpoint, or nothing; damaged ones are removed, with a warning."""
        for path in reversed(self._files()):
            content = _read(path)
            if content is not None:
                return content
            print(f"warning: {path} is damaged: the one before is used", file=sys.stderr)
            path.unlink()
        return b""

    def _files(self) -> list[Path]:
        """From the earliest step to the latest."""
        return sorted(self.folder.glob("*.checkpoint"))


def state_of(training: Training) -> dict[str, Any]:
    """All that the steps to come depend on."""
    learner, course = training.learner, training.course
    return {
        "model": learner.model.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "generators": generator_states(learner.device),
        "history": [asdict(point) for point in course.history],
        "diagnostics": [asdict(diagnostic) for diagnostic in course.diagnostics],
        "losses": list(course.losses),
        "gradient_norms": list(course.gradient_norms),
    }


def put(state: dict[str, Any], training: Training) -> None:
    """The inverse of `state_of`."""
    learner, course = training.learner, training.course
    learner.model.load_state_dict(state["model"])
    learner.optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["generators"]["cpu"])
    if learner.device.type != "cpu":
        module = torch.get_device_module(learner.device)
        module.set_rng_state(state["generators"][learner.device.type])
    course.history[:] = [Point(**point) for point in state["history"]]
    course.diagnostics[:] = [Diagnostic(**diagnostic) for diagnostic in state["diagnostics"]]
    course.losses[:] = [loss.to(learner.device) for loss in state["losses"]]
    course.gradient_norms[:] = [norm.to(learner.device) for norm in state["gradient_norms"]]


def generator_states(device: torch.device) -> dict[str, torch.Tensor]:
    """Torch's generators: nothing here draws from them in training, a new network may."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def _header(content: bytes) -> bytes:
    """The line that stands before the content."""
    return f"sha256 {hashlib.sha256(content).hexdigest()}\n".encode()


def _read(path: Path) -> bytes | None:
    """A checkpoint's content; None where it is not what was written."""
    head, newline, content = path.read_bytes().partition(b"\n")
    return content if head + newline == _header(content) else None
