"""The trials of a search: which runs they are, and the row that each leaves behind."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scipy.stats import qmc

from optbench.core.run import WORKLOADS, Run, from_dict, plan_of, read_json
from optbench.core.score import Score
from optbench.params.search import Space, at

Values = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial; scores are those of the validation split after the last step."""

    optimizer: str
    trial: int  # counted from 1
    schedule: str
    seed: int
    budget: str  # in words
    values: str  # the searched hyper-parameters, a JSON object
    validation_score: float | None  # None: diverged, or numbers broke
    validation_loss: float | None
    diverged_at_step: int | None  # counted from 1

    @property
    def hyper(self) -> Values:
        """The searched hyper-parameters, in the order of the space."""
        values: Values = json.loads(self.values)
        return values


def folder_of(workload: str) -> Path:
    """Where a workload's search is."""
    return WORKLOADS / workload / "search"


def best(trials: Iterable[Trial], score: Score) -> Trial | None:
    """The trial of the best validation score; of equals, that of lower loss."""
    ranked = {
        (score.gain(trial.validation_score), -trial.validation_loss): trial
        for trial in trials
        if trial.validation_score is not None and trial.validation_loss is not None
    }
    return ranked[max(ranked)] if ranked else None


def points(space: Space, trials: int, seed: int) -> list[dict[str, float]]:
    """The hyper-parameters of each trial.

    They are scrambled Halton points, the same of the unit cube for every optimizer. More trials
    add to the points and move none.
    """
    sequence = qmc.Halton(len(space), rng=seed)
    return [at(space, point) for point in sequence.random(trials).tolist()]


def planned_trials(workload: str, optimizer: str) -> tuple[Sequence[Run], Sequence[Values]]:
    """The runs of an optimizer's trials, and what of each is searched, from the room's plan.

    Raises:
        UsageError: the plan has none.
    """
    plan = read_json(plan_of(workload) / "search" / f"{optimizer}.json")
    run, space = from_dict(plan["run"]), {k: tuple(v) for k, v in plan["space"].items()}
    values = points(space, plan["trials"], run.seed)
    runs = [replace(run, optimizer_args={**run.optimizer_args, **point}) for point in values]
    return runs, values


def by_optimizer(trials: Iterable[Trial]) -> dict[str, Sequence[Trial]]:
    """Trials in the order in which they were tried."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.optimizer, []).append(trial)
    return dict(groups)
