"""Takes the winner of each optimizer's search into its room's params.yaml."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from optbench.core.errors import UsageError
from optbench.core.score import Score
from optbench.params.load import Room
from optbench.params.search import Search, Space, position
from optbench.search.table import read_trials
from optbench.search.trials import Trial, best, by_optimizer, points
from optbench.search.winners import Winner, Winners

# A winner within this share of its range, in decades, from an end might be beaten outside of it.
EDGE = 0.05


def find_winners(room: Room) -> Winners:
    """The winners of a room's search; none where none has been carried out.

    Raises:
        UsageError: the trials are damaged, or not those of the search that params.yaml declares.
    """
    if room.search is None:
        return {}
    trials = by_optimizer(read_trials(room.name, room.score))
    for optimizer, rows in trials.items():
        require_declared(room.name, room.search, optimizer, rows)
    return choose(room.search, trials, room.score)


def require_declared(
    workload: str, search: Search, optimizer: str, trials: Sequence[Trial]
) -> None:
    """Refuses trials of another search.

    Raises:
        UsageError: they are not the declared ones.
    """
    shared = {(trial.schedule, trial.budget, trial.seed) for trial in trials}
    if (
        optimizer not in search.space
        or [dict(trial.hyper) for trial in trials]
        != points(search.space[optimizer], search.trials, search.seed)
        or shared != {(search.schedule, str(search.budget), search.seed)}
    ):
        raise UsageError(
            f"workloads/{workload}/search/trials.csv holds other trials of {optimizer} than "
            f"`search` in workloads/{workload}/params.yaml declares: run `dvc repro "
            f"workloads/{workload}/search/dvc.yaml`"
        )


def choose(
    search: Search, trials: Mapping[str, Sequence[Trial]], score: Score
) -> dict[str, Winner]:
    """The best trial of each optimizer; none where all diverged."""
    winners = {}
    for optimizer, rows in trials.items():
        trial = best(rows, score)
        if trial is None or trial.validation_score is None:
            continue
        winners[optimizer] = Winner(
            schedule=trial.schedule,
            trials=len(rows),
            budget=trial.budget,
            hyper=trial.hyper,
            validation_score=trial.validation_score,
            on_edge=on_edge(search.space[optimizer], trial.hyper),
        )
    return winners


def on_edge(space: Space, values: Mapping[str, float]) -> tuple[str, ...]:
    """The dimensions in which a point lies near an end of its range."""
    places = {name: position(bounds, values[name]) for name, bounds in space.items()}
    return tuple(name for name, place in places.items() if not EDGE < place < 1 - EDGE)


def with_winners(text: str, winners: Winners) -> str:
    """The text of a room's params.yaml with the winners' values in the rows; else unchanged.

    Raises:
        UsageError: a row does not name what was searched.
    """
    rows = children(children(yaml.compose(text, yaml.SafeLoader))["optimizers"])
    edits: dict[tuple[int, int], str] = {}
    for optimizer, winner in winners.items():
        row = children(rows[optimizer])
        for name, value in winner.hyper.items():
            if name not in row:
                raise UsageError(f"optimizers.{optimizer}.{name} is missing: write it into the row")
            if float(row[name].value) != value:
                edits[row[name].start_mark.index, row[name].end_mark.index] = written(value)
    for (start, end), number in sorted(edits.items(), reverse=True):
        text = text[:start] + number + text[end:]
    return text


def children(mapping: Any) -> dict[str, Any]:
    """The nodes of a YAML mapping by their keys; each knows its place in the text."""
    return {key.value: node for key, node in mapping.value}


def written(value: float) -> str:
    """A number in YAML, where 3e-05 without a point would be text."""
    return yaml.safe_dump(value).splitlines()[0]


def alarms(workload: str, winners: Winners) -> list[str]:
    """A sentence for each winner that lies at an end of its range."""
    return [
        f"ALARM: {workload} / {optimizer}: the best {dimension}, {winner.hyper[dimension]:g}, "
        f"lies within {EDGE:.0%} of an end of its range: widen search.space.{optimizer}."
        f"{dimension} in workloads/{workload}/params.yaml and search again"
        for optimizer, winner in winners.items()
        for dimension in winner.on_edge
    ]
