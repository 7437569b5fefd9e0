"""Trains one run from its seed to its outcome."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from safetensors.torch import save
from torch import nn

from optbench.core.files import publish
from optbench.core.records import Outcome, Predictions
from optbench.core.run import Run
from optbench.training.assembly import build_batches, build_learner, build_scheduler, load_data
from optbench.training.batches import Batches
from optbench.training.device import fingerprint, make_repeatable
from optbench.training.loop import Course, Learner, Scores, Watcher, evaluate, fit
from optbench.training.progress import EpochProgress


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """A trained network and how it came about. Under `holdout`, nothing has read the test set."""

    learner: Learner
    course: Course
    steps: int
    test: Batches
    fingerprint: Mapping[str, str | int]


def train(run: Run, name: str) -> tuple[Outcome, nn.Module]:
    """Trains a run and scores it on the test set; `name` is shown with its progress.

    The same run under the same fingerprint gives the same bits. The test set is read at the end,
    and, under `train_split: full`, after each epoch, where it decides nothing.
    """
    learnt = learn(run, partial(EpochProgress, name, run.settings.epochs))
    course = learnt.course
    scores = None if course.diverged_at_step else evaluate(learnt.learner, learnt.test)
    outcome = Outcome(
        history=course.history,
        diagnostics=course.diagnostics,
        predictions=predictions(scores)
        if scores
        else Predictions(actual=[], predicted=[], confidence=[]),
        test_loss=scores.loss if scores else None,
        test_accuracy=scores.accuracy if scores else None,
        diverged_at_step=course.diverged_at_step,
        steps=learnt.steps,
        fingerprint=learnt.fingerprint,
    )
    return outcome, learnt.learner.model


def learn(run: Run, watch: Callable[[int], AbstractContextManager[Watcher]]) -> Learnt:
    """Trains a run, its held-out examples scored after each epoch.

    `watch` is called with the number of steps; what it gives is told of each step and epoch.
    """
    settings = run.settings
    device = make_repeatable(settings)
    data = load_data(settings)
    train_batches, heldout, test = build_batches(settings, data, run.seed, device)
    learner = build_learner(run, data, device)
    scheduler = build_scheduler(run, learner.optimizer, len(train_batches))
    steps = settings.epochs * len(train_batches)
    with watch(steps) as watcher:
        course = fit(
            learner,
            scheduler,
            train=train_batches,
            heldout=heldout,
            epochs=settings.epochs,
            watcher=watcher,
        )
    return Learnt(
        learner=learner,
        course=course,
        steps=course.diverged_at_step or steps,
        test=test,
        fingerprint=fingerprint(settings, device, data.digest),
    )


def predictions(scores: Scores) -> Predictions:
    """What is stored of the test scores; confidence to four decimals keeps the file small."""
    return Predictions(
        actual=scores.labels.tolist(),
        predicted=scores.predicted.tolist(),
        confidence=[round(value, 4) for value in scores.confidence.double().tolist()],
    )


def save_weights(model: nn.Module, path: Path) -> None:
    """Writes parameters and buffers as safetensors."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    publish(path, save(tensors))
