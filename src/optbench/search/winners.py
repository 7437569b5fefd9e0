"""The winner of each optimizer's search, as `searches/winners.yaml` holds it.

DVC reads the file as parameters of a workload's evaluation, so every workload is a key of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from optbench.core.errors import UsageError
from optbench.core.files import publish

WINNERS = Path("searches/winners.yaml")
HEAD = "# Written by `make tune` from searches/*/trials.csv; do not edit.\n"


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The best trial of an optimizer, and the budget that found it."""

    schedule: str
    trials: int
    epochs: int
    lr: float
    weight_decay: float | None = None
    damping: float | None = None
    validation_accuracy: float
    on_edge: tuple[str, ...]  # dimensions in which it lies at an end of its range


Winners = Mapping[str, Winner]  # by optimizer; without those that were not searched


def read_winners(path: Path = WINNERS) -> dict[str, Winners]:
    """The winners of each workload.

    Raises:
        UsageError: the file is missing or is not what `write_winners` writes.
    """
    try:
        return {
            workload: {name: _winner(values) for name, values in winners.items()}
            for workload, winners in yaml.safe_load(path.read_text(encoding="utf-8")).items()
        }
    except (OSError, AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"{path} is no list of winners ({reason}): write it with `make tune`, or take it back "
            f"with `git restore {path}`"
        ) from error


def write_winners(winners: Mapping[str, Winners], path: Path = WINNERS) -> None:
    """Writes the winners of each workload, sorted by name."""
    values = {
        workload: {name: _values(winner) for name, winner in by_optimizer.items()}
        for workload, by_optimizer in winners.items()
    }
    publish(path, HEAD + yaml.safe_dump(values))


def _winner(values: Mapping[str, Any]) -> Winner:
    """A winner from its entry."""
    return Winner(**{**values, "on_edge": tuple(values["on_edge"])})


def _values(winner: Winner) -> dict[str, Any]:
    """A winner's entry; hyper-parameters that it has not are left out."""
    values = {name: value for name, value in asdict(winner).items() if value is not None}
    return {**values, "on_edge": list(winner.on_edge)}
