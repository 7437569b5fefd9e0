"""Scores the runs that the plan names: the single run, and the cells of its workload's suite."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optbench.core import records
from optbench.core.errors import UsageError
from optbench.core.run import Run
from optbench.evaluation.metrics import Metrics, score
from optbench.evaluation.summary import Summary, summarise

RESULTS = Path("results")


class MissingResultError(UsageError):
    """The plan names a run that has no valid result."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The single run beside the suite."""

    run: Metrics
    cells: Sequence[Metrics]
    summaries: Sequence[Summary]

    @property
    def rank(self) -> int | None:
        """1 if no mean of the suite is above the run's accuracy; None where the run diverged."""
        own = self.run.test_accuracy
        if own is None:
            return None
        return 1 + sum(
            s.accuracy_mean is not None and s.accuracy_mean > own for s in self.summaries
        )


def evaluate(run: Run, cells: Sequence[Run], *, target_accuracy: float) -> Evaluation:
    """Reads and scores every planned run; what else lies in the folder is not looked at.

    Raises:
        MissingResultError: names the runs without a valid result.
    """
    scored: dict[str, Metrics] = {}
    problems: list[str] = []
    for place, planned in _places(run, cells).items():
        try:
            scored[place] = score(
                records.read(RESULTS / place),
                optimizer=planned.optimizer,
                schedule=planned.schedule,
                seed=planned.seed,
                target_accuracy=target_accuracy,
            )
        except UsageError as error:
            problems.append(f"{planned.workload}/{planned.cell}: {error}")
    if problems:
        raise MissingResultError(
            "\n".join(problems) + "\nRun `dvc repro` to train what is missing."
        )
    own, *others = scored.values()
    return Evaluation(run=own, cells=others, summaries=summarise(others))


def _places(run: Run, cells: Sequence[Run]) -> dict[str, Run]:
    """Each run with its folder below results/; the single run first."""
    suite = {f"{cell.workload}/suite/{cell.cell}": cell for cell in cells}
    return {f"{run.workload}/run": run, **suite}
