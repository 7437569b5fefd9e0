"""Scores the runs that a plan names; what else lies in the folder of results is not looked at."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optbench.core import records, registry
from optbench.core.errors import UsageError
from optbench.core.records import Outcome, Point
from optbench.core.run import Run
from optbench.core.score import Score
from optbench.evaluation.metrics import Metrics, metrics_of
from optbench.evaluation.summary import Summary

RESULTS = Path("results")
DIGEST_SHOWN = 12  # digits of a sha256
ABSENT = "absent"


class ResultError(UsageError):
    """The plan names a run that has no valid result."""


def score_cells(cells: Sequence[Run], *, target: float) -> list[Metrics]:
    """The metrics of each cell of a suite; `target` is one of the held-out score.

    Raises:
        ResultError: names every cell without a valid result.
    """
    scored: list[Metrics] = []
    problems: list[str] = []
    for cell in cells:
        try:
            scored.append(score_at(f"suite/{cell.cell}", cell, target=target))
        except ResultError as error:
            problems.append(str(error))
    if problems:
        raise ResultError("\n".join([*problems, "Run `dvc repro` to train what is missing."]))
    return scored


def score_at(place: str, planned: Run, *, target: float) -> Metrics:
    """The metrics of the run whose files are in `results/<workload>/<place>/`.

    Raises:
        ResultError: there is no valid result, it is not the planned run's, or its score is not
            that of its predictions; the message names the run.
    """
    folder = RESULTS / planned.workload / place
    try:
        outcome = records.read(folder)
        require_planned(outcome.run, planned, folder=folder)
        require_recounted(outcome, folder=folder)
    except UsageError as error:
        raise ResultError(f"{planned.workload}/{planned.cell}: {error}") from error
    return metrics_of(outcome, target=target)


def require_planned(trained: Run, planned: Run, *, folder: Path) -> None:
    """Refuses a result of another run than the planned one, down to the code of its parts.

    Raises:
        UsageError: names each key that differs, with the value of the result and of the plan.
    """
    results, plans = dict(_leaves(trained.as_dict())), dict(_leaves(planned.as_dict()))
    differing = [
        f"{_named(key)} is {_shown(key, results)} in the result and {_shown(key, plans)} in the "
        "plan"
        for key in dict.fromkeys([*results, *plans])
        if results.get(key, ABSENT) != plans.get(key, ABSENT)
    ]
    if differing:
        raise UsageError(
            f"{folder} is not of the planned run: {'; '.join(differing)}: `dvc repro` trains it "
            "again"
        )


def require_recounted(outcome: Outcome, *, folder: Path) -> None:
    """Refuses a test score that is not what the task counts from the predictions.

    Raises:
        UsageError: names both.
    """
    columns = outcome.predictions
    predicted = any(len(column) for column in columns.values())
    task = registry.load_score(outcome.run.settings.task)
    recounted = task.recount(columns) if predicted else None
    if recounted != outcome.test_score or predicted != (outcome.diverged_at_step is None):
        raise UsageError(
            f"{folder} has a test score of {outcome.test_score}, and its predictions come to "
            f"{recounted}: `dvc repro` makes it again"
        )


def history_at(place: str, workload: str) -> Sequence[Point]:
    """The history of the run whose files are in `results/<workload>/<place>/`."""
    return records.read(RESULTS / workload / place).history


def without(metrics: Sequence[Metrics], cells: Sequence[Run], run: Run) -> list[Metrics]:
    """The metrics of a suite's cells but those of the one that is this run, if there is.

    By how many threads it is computed makes a run no other, though the bits are.
    """
    if not any(_with_threads(run, cell.settings.threads) == cell for cell in cells):
        return list(metrics)
    return [row for row in metrics if row.cell != run.cell]


def _with_threads(run: Run, threads: int) -> Run:
    """The run, computed by so many threads."""
    return replace(run, settings=replace(run.settings, threads=threads))


def rank(run: Metrics, summaries: Sequence[Summary], score: Score) -> int | None:
    """1 if no mean of the suite is better than the run's score; None where the run diverged."""
    if run.test_score is None:
        return None
    reached = score.gain(run.test_score)
    means = [summary.score_mean for summary in summaries if summary.score_mean is not None]
    return 1 + sum(score.gain(mean) > reached for mean in means)


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The path of each value that is no mapping, with its text in JSON."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    else:
        yield path, json.dumps(value)


def _named(path: tuple[str, ...]) -> str:
    """A key in words."""
    return f"the code of {path[1]}" if path[0] == "code" else ".".join(path)


def _shown(path: tuple[str, ...], leaves: Mapping[tuple[str, ...], str]) -> str:
    """A value, a digest of code by its first digits."""
    text = leaves.get(path, ABSENT).strip('"')
    return text[:DIGEST_SHOWN] if path[0] == "code" else text
