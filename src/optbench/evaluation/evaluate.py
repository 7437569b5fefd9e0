"""Scores the runs that a plan names; what else lies in the folder of results is not looked at."""

from collections.abc import Sequence
from pathlib import Path

from optbench.core import records
from optbench.core.errors import UsageError
from optbench.core.records import Epoch
from optbench.core.run import Run
from optbench.evaluation.metrics import Metrics, score
from optbench.evaluation.summary import Summary

RESULTS = Path("results")


class MissingResultError(UsageError):
    """The plan names a run that has no valid result."""


def score_cells(cells: Sequence[Run], *, target_accuracy: float) -> list[Metrics]:
    """The metrics of each cell of a suite.

    Raises:
        MissingResultError: names every cell without a valid result.
    """
    scored: list[Metrics] = []
    problems: list[str] = []
    for cell in cells:
        try:
            scored.append(score_at(f"suite/{cell.cell}", cell, target_accuracy=target_accuracy))
        except MissingResultError as error:
            problems.append(str(error))
    if problems:
        raise MissingResultError(
            "\n".join([*problems, "Run `dvc repro` to train what is missing."])
        )
    return scored


def score_at(place: str, run: Run, *, target_accuracy: float) -> Metrics:
    """The metrics of the run whose files are in `results/<workload>/<place>/`.

    Raises:
        MissingResultError: names the run.
    """
    try:
        outcome = records.read(RESULTS / run.workload / place)
    except UsageError as error:
        raise MissingResultError(f"{run.workload}/{run.cell}: {error}") from error
    return score(
        outcome,
        optimizer=run.optimizer,
        schedule=run.schedule,
        seed=run.seed,
        target_accuracy=target_accuracy,
    )


def history_at(place: str, workload: str) -> Sequence[Epoch]:
    """The history of the run whose files are in `results/<workload>/<place>/`."""
    return records.read(RESULTS / workload / place).history


def without(metrics: Sequence[Metrics], cells: Sequence[Run], run: Run) -> list[Metrics]:
    """The metrics of a suite's cells but those of the one that is this very run, if one is."""
    if run not in cells:
        return list(metrics)
    own = (run.optimizer, run.schedule, run.seed)
    return [one for one in metrics if (one.optimizer, one.schedule, one.seed) != own]


def rank(run: Metrics, summaries: Sequence[Summary]) -> int | None:
    """1 if no mean of the suite is above the run's accuracy; None where the run diverged."""
    own = run.test_accuracy
    if own is None:
        return None
    return 1 + sum(s.accuracy_mean is not None and s.accuracy_mean > own for s in summaries)
