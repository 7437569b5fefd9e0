"""Runs, histories and scores that tests of evaluation are made of."""

from typing import Any

from optbench.core.arm import Arm
from optbench.core.records import Outcome, Point
from optbench.core.registry import load_score
from optbench.core.run import Budget, Run, Settings
from optbench.core.score import Score
from optbench.core.space import Space
from optbench.core.study import Study
from optbench.evaluation.metrics import Metrics
from optbench.studies.trials import Trial

TASK = load_score("image_classification")
ACCURACY: Score = TASK.SCORE
# Lower is better, there is no upper bound, and values are read as they are stored.
ERROR = Score(
    name="mean squared error", unit="", difference_unit="", higher_is_better=False, low=0.0,
    high=None, digits=4,
)  # fmt: skip

SGD, ADAM = Arm("sgd", "cosine"), Arm("adam", "cosine")


def settings(**changes: Any) -> Settings:
    values = {
        "dataset": "digits", "train_split": "full", "task": "image_classification",
        "task_args": {}, "network": "cnn", "network_args": {"width": 16},
        "decay_norm_and_bias": True, "budget": Budget(epochs=10), "batch_size": 64,
        "precision": "fp32", "compile": False, "device": "cpu", "threads": 1,
        "devices": 1,
    }  # fmt: skip
    return Settings(**{**values, **changes})


def planned(arm: Arm = SGD, seed: int = 0, args: dict | None = None, **changes: Any) -> Run:
    """A resolved run; `changes` to its settings."""
    return Run(
        workload="digits-cnn",
        optimizer=arm.optimizer,
        schedule=arm.schedule,
        seed=seed,
        settings=settings(**changes),
        optimizer_args=args or {"lr": 0.02, "weight_decay": 0.0005, "momentum": 0.9},
        schedule_args={"final_factor": 0.0},
        code={"optimizer sgd": "ab" * 32, "network": "cd" * 32},
    )


def history(*scores: float, per_epoch: int = 2) -> list[Point]:
    """So many points an epoch."""
    return [
        Point(
            step=10 * i, epoch=i / per_epoch, train_loss=1.0, heldout_loss=1.0,
            heldout_score=score, lr=0.1, momentum=None, gradient_norm=1.0,
        )
        for i, score in enumerate(scores, start=1)
    ]  # fmt: skip


def outcome(run: Run | None = None, **changes: Any) -> Outcome:
    """Three of four right, unless told otherwise."""
    values = {
        "run": run or planned(), "packages": {"torch": "2"}, "history": history(0.5, 0.9, 0.9, 0.8),
        "diagnostics": [], "test_loss": 0.3, "test_score": 0.75, "validation_loss": None,
        "validation_score": None, "diverged_at_step": None, "steps": 40, "steps_per_epoch": 20,
        "fingerprint": {"device": "cpu"},
        "predictions": {
            "actual": [0, 1, 2, 3], "predicted": [0, 1, 2, 0], "confidence": [1.0, 1.0, 0.9, 0.5],
        },
    }  # fmt: skip
    return Outcome(**{**values, **changes})


def diverged(run: Run | None = None) -> Outcome:
    return outcome(
        run, history=history(0.5), predictions={}, test_loss=None, test_score=None,
        diverged_at_step=12, steps=12,
    )  # fmt: skip


def metrics(arm: Arm, study: int, score: float | None, epochs: float | None = None) -> Metrics:
    """A study's; without a score it diverged."""
    return Metrics(
        optimizer=arm.optimizer, schedule=arm.schedule, tuning=arm.tuning, study=study,
        seed=8 * study, test_score=score,
        test_score_low=None, test_score_high=None, test_loss=None, validation_score=None,
        epochs_to_target=epochs, diverged_at_step=None if score is not None else 7, extras="{}",
    )  # fmt: skip


def runs(arm: Arm, *scores: float | None) -> list[Metrics]:
    """A study each."""
    return [metrics(arm, study, score) for study, score in enumerate(scores)]


SPACE = {"lr": (0.001, 0.1), "weight_decay": (1e-5, 1e-2)}


def study_of(arm: Arm = SGD, trials: int = 3, space: Space = SPACE, **changes: Any) -> Study:
    """A planned study; `changes` to its settings."""
    return Study(arm=arm, run=planned(arm, args={"momentum": 0.9}, **changes), space=space,
                 trials=trials)  # fmt: skip


def trial(
    number: int = 1,
    validation: float | None = 0.9,
    test: float | None = 0.8,
    *,
    loss: float = 0.5,
    study: int = 0,
    lr: float = 0.01,
) -> Trial:
    """A trial; without a test score it diverged."""
    has_validation = validation is not None and test is not None
    return Trial(
        study=study, trial=number, seed=number, values=f'{{"lr": {lr}, "weight_decay": 0.001}}',
        validation_score=validation if has_validation else None,
        validation_loss=loss if has_validation else None, test_score=test,
        test_loss=None if test is None else loss, diverged_at_step=7 if test is None else None,
    )  # fmt: skip
