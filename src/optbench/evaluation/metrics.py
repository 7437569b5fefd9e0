"""What one run achieved, computed from what it left behind."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from optbench.core import registry
from optbench.core.arm import Arm
from optbench.core.records import Outcome, Point
from optbench.core.score import Score

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """A run's scores, as its task stores them; None where the run diverged."""

    optimizer: str
    schedule: str
    seed: int
    test_score: float | None
    test_score_low: float | None  # 95 % interval of this one network, where the task knows one
    test_score_high: float | None
    test_loss: float | None
    validation_score: float | None  # None too where nothing is held out
    epochs_to_target: float | None  # see `reached_at`; None: missed or diverged
    diverged_at_step: int | None
    extras: str  # what else the task tells, a JSON object of numbers

    @property
    def arm(self) -> Arm:
        """Optimizer and schedule."""
        return Arm(self.optimizer, self.schedule)

    @property
    def cell(self) -> str:
        """The name of the run's cell, as `Run.cell`."""
        return f"{self.arm.key}-{self.seed}"

    @property
    def name(self) -> str:
        """Optimizer, schedule and seed in words."""
        return f"{self.arm} / seed {self.seed}"


def metrics_of(outcome: Outcome, *, target: float) -> Metrics:
    """The metrics of a run's outcome; `target` is one of its held-out score."""
    run, columns = outcome.run, outcome.predictions
    task = registry.load_score(run.settings.task)
    finished = outcome.diverged_at_step is None
    low = high = None
    extras: dict[str, float] = {}
    if finished and hasattr(task, "interval"):
        low, high = task.interval(columns, CONFIDENCE)
    if finished and hasattr(task, "extras"):
        extras = task.extras(columns)
    return Metrics(
        optimizer=run.optimizer,
        schedule=run.schedule,
        seed=run.seed,
        test_score=task.recount(columns) if finished else None,
        test_score_low=low,
        test_score_high=high,
        test_loss=outcome.test_loss,
        validation_score=outcome.validation_score,
        epochs_to_target=reached_at(outcome.history, target=target, score=task.SCORE)
        if finished
        else None,
        diverged_at_step=outcome.diverged_at_step,
        extras=json.dumps(extras),
    )


def reached_at(history: Sequence[Point], *, target: float, score: Score) -> float | None:
    """The epoch of the first of two points in a row whose held-out score reaches the target.

    One point alone may be luck; so the last counts only as the second of two.
    """
    for first, second in pairwise(history):
        if all(score.reaches(point.heldout_score, target) for point in (first, second)):
            return first.epoch
    return None
