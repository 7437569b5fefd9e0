"""TensorBoard's event files, by TensorBoard's own code: scalars by step, and hyper-parameters.

A record is a protocol buffer. Results hold no wall-clock, so all times are 0, and the same results
give the same bytes.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

NAME = "events.out.tfevents.0.optbench"  # TensorBoard looks for `tfevents`
VERSION = "brain.Event:2"  # the first record's

Scalar = tuple[int, str, float]  # step, name, value


def write_scalars(folder: Path, scalars: Iterable[Scalar]) -> None:
    """The event file of a history."""
    _write(folder, [_event(step, name, value) for step, name, value in scalars])


def write_trial(
    folder: Path, hyper: Mapping[str, str | float], scores: Mapping[str, float]
) -> None:
    """The event file of a trial, of which only its hyper-parameters and its end are known."""
    start = hparams_pb(dict(hyper), trial_id=str(folder), start_time_secs=0)
    _write(folder, [Event(summary=start), *(_event(0, *score) for score in scores.items())])


def _event(step: int, name: str, value: float) -> Event:
    """One value; single precision is all that TensorBoard keeps of it."""
    return Event(step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))


def _write(folder: Path, events: Iterable[Event]) -> None:
    """Writes records."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / NAME).open("wb") as file:
        writer = RecordWriter(file)
        for event in (Event(file_version=VERSION), *events):
            writer.write(event.SerializeToString())
        writer.flush()
