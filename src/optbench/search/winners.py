"""The winner of each optimizer's search, as a room's `search/winners.yaml` holds it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.tables import are_numbers, failing, is_count, is_finite
from optbench.search.trials import folder_of

HEAD = "# Written by `optbench tune` from trials.csv; do not edit.\n"


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The best trial of an optimizer, and the budget that found it."""

    schedule: str
    trials: int
    budget: str  # of each trial, in words
    hyper: Mapping[str, float]
    validation_score: float
    on_edge: tuple[str, ...]  # dimensions in which it lies at an end of its range


Winners = Mapping[str, Winner]  # by optimizer; without those that were not searched


def winners_path(workload: str) -> Path:
    """Where a workload's winners are."""
    return folder_of(workload) / "winners.yaml"


def read_winners(workload: str) -> Winners:
    """The winners of a workload; none where it was not searched.

    Raises:
        UsageError: the file is missing or is not what `write_winners` writes.
    """
    path = winners_path(workload)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(name): _winner(entry) for name, entry in values.items()}
    except (OSError, AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"{path} is no list of winners ({reason}): write it with `optbench tune`, or take it "
            f"back with `git restore {path}`"
        ) from error


def write_winners(workload: str, winners: Winners) -> None:
    """Writes the winners of a workload."""
    entries = {
        name: {**asdict(winner), "on_edge": list(winner.on_edge)}
        for name, winner in winners.items()
    }
    publish(winners_path(workload), HEAD + yaml.safe_dump(entries))


def _winner(entry: Mapping[str, Any]) -> Winner:
    """A winner from its entry.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    winner = Winner(**{**entry, "on_edge": tuple(entry["on_edge"])})
    wrong = failing(
        schedule=isinstance(winner.schedule, str),
        trials=is_count(winner.trials),
        budget=isinstance(winner.budget, str),
        hyper=are_numbers(winner.hyper),
        validation_score=winner.validation_score is not None and is_finite(winner.validation_score),
        on_edge=isinstance(winner.hyper, dict) and {*winner.on_edge} <= {*winner.hyper},
    )
    if wrong:
        raise ValueError(", ".join(f"{name} {getattr(winner, name)!r}" for name in wrong))
    return winner
