"""What one run achieved, computed from what it left behind."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from optbench.core import registry
from optbench.core.arm import TUNED, Arm
from optbench.core.records import Outcome, Point
from optbench.core.score import Score

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """What a study's choice achieved, or the single run; scores are None where it diverged."""

    optimizer: str
    schedule: str
    tuning: str  # how its values were chosen, see `core.arm`
    study: int | None  # its number; None: the single run
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
        """The study's."""
        return Arm(self.optimizer, self.schedule, self.tuning)

    @property
    def name(self) -> str:
        """In words."""
        what = f"seed {self.seed}" if self.study is None else f"study {self.study}"
        return f"{self.arm} / {what}"


def metrics_of(
    outcome: Outcome, *, target: float, arm: Arm | None = None, study: int | None = None
) -> Metrics:
    """The metrics of an outcome.

    Args:
        outcome: of the run that a study chose, or of the single run.
        target: of the held-out score.
        arm: the study's.
        study: its number.
    """
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
        tuning=arm.tuning if arm else TUNED,
        study=study,
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
