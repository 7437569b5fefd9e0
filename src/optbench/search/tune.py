"""Takes the winner of each search into params.yaml."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.params.load import Params
from optbench.search.space import Search, Space, hyper_parameters, position, ranges
from optbench.search.trials import SEARCHES, Trial, best, points
from optbench.search.winners import Winner, Winners

# A winner within this share of its range, in decades, from an end might be beaten outside of it.
EDGE = 0.05


def find_winners(params: Params) -> dict[str, Winners]:
    """The winners of each workload of params.yaml; none where no search has been carried out."""
    winners: dict[str, Winners] = {name: {} for name in params.workloads}
    for name, search in params.searches.items():
        path = SEARCHES / name / "trials.csv"
        if path.is_file():
            winners[name] = choose(search, read_trials(path, search))
    return winners


def read_trials(path: Path, search: Search) -> dict[str, list[Trial]]:
    """The trials of each optimizer.

    Raises:
        UsageError: they are not those of the search that params.yaml declares.
    """
    way_out = f"run `dvc repro searches/{path.parent.name}/dvc.yaml`"
    trials: dict[str, list[Trial]] = {}
    try:
        for trial in rows.from_csv(Trial, path):
            trials.setdefault(trial.optimizer, []).append(trial)
    except ValueError as error:
        raise UsageError(f"{path} is no table of trials ({error}): {way_out}") from error
    for optimizer, own in trials.items():
        shared = {(trial.schedule, trial.epochs, trial.seed) for trial in own}
        if (
            optimizer not in search.space
            or [hyper_parameters(trial) for trial in own] != points(search, optimizer)
            or shared != {(search.schedule, search.epochs, search.seed)}
        ):
            raise UsageError(
                f"{path} holds other trials of {optimizer} than search.{path.parent.name} in "
                f"params.yaml declares: {way_out}"
            )
    return trials


def choose(search: Search, trials: Mapping[str, Sequence[Trial]]) -> dict[str, Winner]:
    """The best trial of each optimizer; none where all diverged."""
    winners = {}
    for optimizer, own in trials.items():
        won = best(own)
        if won is None or won.validation_accuracy is None:
            continue
        values = hyper_parameters(won)
        winners[optimizer] = Winner(
            schedule=won.schedule,
            trials=len(own),
            epochs=won.epochs,
            **values,
            validation_accuracy=won.validation_accuracy,
            on_edge=on_edge(search.space[optimizer], values),
        )
    return winners


def on_edge(space: Space, values: Mapping[str, float]) -> tuple[str, ...]:
    """The dimensions in which a point lies near an end of its range."""
    places = {name: position(bounds, values[name]) for name, bounds in ranges(space).items()}
    return tuple(name for name, at in places.items() if not EDGE < at < 1 - EDGE)


def with_winners(text: str, winners: Mapping[str, Winners]) -> str:
    """The text of params.yaml with the winners' values, under all schedules; else unchanged."""
    optimizers = children(children(yaml.compose(text, yaml.SafeLoader))["optimizers"])
    edits: dict[tuple[int, int], str] = {}
    for workload, by_optimizer in winners.items():
        for optimizer, winner in by_optimizer.items():
            for schedule in children(children(optimizers[optimizer])[workload]).values():
                for name, value in hyper_parameters(winner).items():
                    node = children(schedule)[name]
                    if float(node.value) != value:
                        edits[node.start_mark.index, node.end_mark.index] = written(value)
    for (start, end), number in sorted(edits.items(), reverse=True):
        text = text[:start] + number + text[end:]
    return text


def children(mapping: Any) -> dict[str, Any]:
    """The nodes of a YAML mapping by their keys; each knows its place in the text."""
    return {key.value: node for key, node in mapping.value}


def written(value: float) -> str:
    """A number in YAML, where 3e-05 without a point would be text."""
    return yaml.safe_dump(value).splitlines()[0]


def alarms(winners: Mapping[str, Winners]) -> list[str]:
    """A sentence for each winner that lies at an end of its range."""
    return [
        f"ALARM: {workload} / {optimizer}: the best {dimension}, {getattr(winner, dimension):g}, "
        f"lies within {EDGE:.0%} of an end of its range: widen "
        f"search.{workload}.space.{optimizer}.{dimension} and search again"
        for workload, by_optimizer in winners.items()
        for optimizer, winner in by_optimizer.items()
        for dimension in winner.on_edge
    ]
