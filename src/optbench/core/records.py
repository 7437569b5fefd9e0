"""What a run leaves behind, and the one format in which training writes and evaluation reads it.

A folder of results holds `history.csv` (a row an epoch), `predictions.json` (a list a column, an
entry a test image), `diagnostics.csv` (what the optimizer said of its health), `metrics.json`
(the outcome and the fingerprint) and `SHA256SUMS`, which `sha256sum --check` takes. Floats are
written so that they read back exactly, and no file holds a time, a date or a host.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.core.files import publish


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of a run. Held out: validation under `holdout`, test under `full`."""

    epoch: int  # counted from 1
    step: int  # steps done at the end of the epoch
    train_loss: float  # mean over the epoch's batches, as optimised (label smoothing included)
    heldout_loss: float  # mean over examples, without label smoothing
    heldout_accuracy: float  # fraction
    lr: float  # at the epoch's last step
    momentum: float | None  # momentum or beta1 at the epoch's last step
    gradient_norm: float  # mean over the epoch's steps


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """What an optimizer says of its health at the end of an epoch."""

    epoch: int
    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Each test image's class, the predicted class, and the probability given to it; [n] each."""

    actual: Sequence[int]
    predicted: Sequence[int]
    confidence: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished run."""

    history: Sequence[Epoch]
    diagnostics: Sequence[Diagnostic]  # empty where the optimizer says nothing
    predictions: Predictions  # empty where the run diverged
    test_loss: float | None
    test_accuracy: float | None
    diverged_at_step: int | None  # counted from 1
    steps: int
    fingerprint: Mapping[str, str | int]


FILES = ("diagnostics.csv", "history.csv", "metrics.json", "predictions.json")
SUMS = "SHA256SUMS"
SCALARS = ("test_accuracy", "test_loss", "diverged_at_step", "steps")


def write(outcome: Outcome, folder: Path) -> None:
    """Writes the files; each appears whole or not at all."""
    metrics = {name: getattr(outcome, name) for name in SCALARS}
    metrics["fingerprint"] = dict(outcome.fingerprint)
    columns = (
        f'"{name}":{json.dumps(values, separators=(",", ":"))}'
        for name, values in vars(outcome.predictions).items()
    )
    texts = (
        rows.to_csv(Diagnostic, outcome.diagnostics),
        rows.to_csv(Epoch, outcome.history),
        json.dumps(metrics, indent=2) + "\n",
        "{" + ",\n".join(columns) + "}\n",
    )
    contents = dict(zip(FILES, texts, strict=True))
    for name, content in contents.items():
        publish(folder / name, content)
    publish(folder / SUMS, _sums({name: text.encode() for name, text in contents.items()}))


def read(folder: Path) -> Outcome:
    """Reads what `write` wrote.

    Raises:
        UsageError: a file is missing or is not what `write` wrote; the message names it.
    """
    try:
        _verify(folder)
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        return Outcome(
            history=rows.from_csv(Epoch, folder / "history.csv"),
            diagnostics=rows.from_csv(Diagnostic, folder / "diagnostics.csv"),
            predictions=_read_predictions(folder / "predictions.json"),
            fingerprint=metrics["fingerprint"],
            **{name: metrics[name] for name in SCALARS},
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"no valid result in {folder}: {error}; `dvc repro` makes it again"
        ) from error


def digest(folder: Path) -> str:
    """The sha256 of a folder's SHA256SUMS, and so of all its files."""
    return hashlib.sha256((folder / SUMS).read_bytes()).hexdigest()


def _read_predictions(path: Path) -> Predictions:
    """The columns, which must be of one length."""
    predictions = Predictions(**json.loads(path.read_text(encoding="utf-8")))
    if len({len(column) for column in vars(predictions).values()}) != 1:
        raise ValueError(f"{path.name} has columns of different lengths")
    return predictions


def _sums(contents: Mapping[str, bytes]) -> str:
    """The sha256 of files, a line each."""
    return "".join(f"{hashlib.sha256(c).hexdigest()}  {name}\n" for name, c in contents.items())


def _verify(folder: Path) -> None:
    """Compares a folder's files with its SHA256SUMS; ValueError names the first that differs."""
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    for name in FILES:
        if _sums({name: (folder / name).read_bytes()}).rstrip() not in lines:
            raise ValueError(f"{name} is damaged: its sha256 is not the one in {SUMS}")
