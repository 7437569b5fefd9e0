"""What a run leaves behind, and the one format in which training writes and evaluation reads it.

A folder of results holds `run.json` (the resolved run, and the packages that its optimizer comes
from), `history.csv` (a row a point), `predictions.json` (a list a column, an entry an example of
the test set), `diagnostics.csv` (what the optimizer said of its health), `metrics.json` (the
outcome and the fingerprint) and `SHA256SUMS`, which `sha256sum --check` takes. Floats are written
so that they read back exactly, and no file holds a time, a date or a host.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.run import Run, from_dict

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Point:
    """A look at a run after some of its steps.

    Held out: a fixed part of the validation set under `holdout`, of the test set under `full`.
    """

    step: int  # steps done
    epoch: float  # the same in passes over the training set
    train_loss: float  # mean over the batches since the last point, as optimised
    heldout_loss: float  # mean over examples, without label smoothing and its like
    heldout_score: float  # as the task stores it
    lr: float  # at the last step
    momentum: float | None  # momentum or beta1 at the last step
    gradient_norm: float  # mean over the steps since the last point


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """What an optimizer says of its health at a point."""

    step: int
    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished run."""

    run: Run
    packages: Mapping[str, str]  # versions of those that the optimizer comes from
    history: Sequence[Point]
    diagnostics: Sequence[Diagnostic]  # empty where the optimizer says nothing
    predictions: Columns  # of the test set, as the task has them; empty where the run diverged
    test_loss: float | None
    test_score: float | None
    validation_loss: float | None  # None under `full`, and where the run diverged
    validation_score: float | None
    diverged_at_step: int | None  # counted from 1
    steps: int  # done
    steps_per_epoch: int
    fingerprint: Mapping[str, str | int]


FILES = ("diagnostics.csv", "history.csv", "metrics.json", "predictions.json", "run.json")
SUMS = "SHA256SUMS"
SCALARS = (
    "test_score", "test_loss", "validation_score", "validation_loss", "diverged_at_step", "steps",
    "steps_per_epoch",
)  # fmt: skip


def write(outcome: Outcome, folder: Path, others: Mapping[str, str] = MappingProxyType({})) -> None:
    """Writes the files, and others beside them; each appears whole or not at all.

    Args:
        outcome: of the run.
        folder: of its results.
        others: the texts of further files, by name.

    Raises:
        UsageError: the disk refuses.
    """
    metrics = {name: getattr(outcome, name) for name in SCALARS}
    metrics["fingerprint"] = dict(outcome.fingerprint)
    columns = (
        f'"{name}":{json.dumps(values, separators=(",", ":"))}'
        for name, values in outcome.predictions.items()
    )
    texts = (
        rows.to_csv(Diagnostic, outcome.diagnostics),
        rows.to_csv(Point, outcome.history),
        json.dumps(metrics, indent=2) + "\n",
        "{" + ",\n".join(columns) + "}\n",
        json.dumps({**outcome.run.as_dict(), "packages": dict(outcome.packages)}, indent=2) + "\n",
    )
    contents = dict(zip(FILES, texts, strict=True)) | dict(others)
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
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return Outcome(
            packages=run.pop("packages"),
            run=from_dict(run),
            history=rows.from_csv(Point, folder / "history.csv"),
            diagnostics=rows.from_csv(Diagnostic, folder / "diagnostics.csv"),
            predictions=_read_columns(folder / "predictions.json"),
            fingerprint=metrics["fingerprint"],
            **{name: metrics[name] for name in SCALARS},
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"no valid result in {folder}: {error}; `dvc repro` makes it again"
        ) from error


def digest(folder: Path) -> str:
    """The sha256 of a folder's SHA256SUMS, and so of all its files."""
    return hashlib.sha256((folder / SUMS).read_bytes()).hexdigest()


def _read_columns(path: Path) -> Columns:
    """Columns, which must be of one length."""
    columns: Columns = json.loads(path.read_text(encoding="utf-8"))
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError(f"{path.name} has columns of different lengths")
    return columns


def _sums(contents: Mapping[str, bytes]) -> str:
    """The sha256 of files, a line each."""
    return "".join(f"{hashlib.sha256(c).hexdigest()}  {name}\n" for name, c in contents.items())


def _verify(folder: Path) -> None:
    """Compares a folder's files with its SHA256SUMS; ValueError names the first that differs."""
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    for name in {*FILES, *(line.partition("  ")[2] for line in lines)}:
        if _sums({name: (folder / name).read_bytes()}).rstrip() not in lines:
            raise ValueError(f"{name} is damaged: its sha256 is not the one in {SUMS}")
