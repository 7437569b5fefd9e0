"""The trials of a search: which runs they are, and the row that each leaves behind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scipy.stats import qmc

from optbench.core.run import Run, Workload, look_up
from optbench.search.space import Search, at, ranges

SEARCHES = Path("searches")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial; scores are those of the validation split after the last epoch."""

    optimizer: str
    trial: int  # counted from 1
    schedule: str
    seed: int
    epochs: int
    lr: float
    weight_decay: float | None
    damping: float | None
    validation_accuracy: float | None  # fraction; None: diverged, or numbers broke
    validation_loss: float | None
    diverged_at_step: int | None  # counted from 1


def best(trials: Iterable[Trial]) -> Trial | None:
    """The trial of the best validation accuracy; of equals, that of lower loss."""
    scores = {
        (trial.validation_accuracy, -trial.validation_loss): trial
        for trial in trials
        if trial.validation_accuracy is not None and trial.validation_loss is not None
    }
    return scores[max(scores)] if scores else None


def points(search: Search, optimizer: str) -> list[dict[str, float]]:
    """The hyper-parameters of each trial of an optimizer.

    They are scrambled Halton points, the same of the unit cube for every optimizer. More trials
    add to the points and move none.
    """
    space = look_up(search.space, optimizer)
    sequence = qmc.Halton(len(ranges(space)), rng=search.seed)
    return [at(space, point) for point in sequence.random(search.trials).tolist()]


def trial_runs(params: Mapping[str, Any], workload: str, optimizer: str) -> list[Run]:
    """The runs of an optimizer's trials; each holds out the validation split."""
    search = Search(**look_up(params, "search", workload))
    settings = replace(
        Workload(**look_up(params, "workloads", workload)),
        train_split="holdout",
        epochs=search.epochs,
        threads=search.threads,
    )
    return [
        Run(
            workload=workload,
            optimizer=optimizer,
            schedule=search.schedule,
            seed=search.seed,
            settings=settings,
            optimizer_args={**look_up(params, "optimizers", optimizer, "settings"), **values},
            schedule_args=look_up(params, "schedules", search.schedule),
        )
        for values in points(search, optimizer)
    ]
