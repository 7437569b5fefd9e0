"""Trains one run from its seed to its outcome."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save
from torch import nn

from optbench.core.records import Epoch, Outcome, Predictions
from optbench.core.rows import publish
from optbench.core.run import Run
from optbench.training.assembly import build_batches, build_learner, build_scheduler, load_data
from optbench.training.batches import Batches
from optbench.training.device import fingerprint, make_repeatable
from optbench.training.loop import Learner, Scores, evaluate, fit
from optbench.training.progress import EpochProgress


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """A trained network and how it came about. Under `holdout`, nothing has read the test set."""

    learner: Learner
    history: Sequence[Epoch]
    diverged_at_step: int | None  # counted from 1
    steps: int
    test: Batches
    fingerprint: Mapping[str, str | int]


def train(run: Run, name: str) -> tuple[Outcome, nn.Module]:
    """Trains a run and scores it on the test set; `name` is shown with its progress.

    The same run under the same fingerprint gives the same bits. The test set is read at the end,
    and, under `train_split: full`, after each epoch, where it decides nothing.
    """
    learnt = learn(run, EpochProgress(name, run.settings.epochs))
    scores = None if learnt.diverged_at_step else evaluate(learnt.learner, learnt.test)
    outcome = Outcome(
        history=learnt.history,
        predictions=predictions(scores)
        if scores
        else Predictions(actual=[], predicted=[], confidence=[]),
        test_loss=scores.loss if scores else None,
        test_accuracy=scores.accuracy if scores else None,
        diverged_at_step=learnt.diverged_at_step,
        steps=learnt.steps,
        fingerprint=learnt.fingerprint,
    )
    return outcome, learnt.learner.model


def learn(run: Run, progress: AbstractContextManager[Callable[[Epoch], None]]) -> Learnt:
    """Trains a run, its held-out examples scored after each epoch; `progress` is told each."""
    settings = run.settings
    device = make_repeatable(settings)
    data = load_data(settings)
    train_batches, heldout, test = build_batches(settings, data, run.seed, device)
    learner = build_learner(run, data, device)
    scheduler = build_scheduler(run, learner.optimizer, len(train_batches))
    with progress as report:
        history, diverged_at_step = fit(
            learner,
            scheduler,
            train=train_batches,
            heldout=heldout,
            epochs=settings.epochs,
            report=report,
        )
    return Learnt(
        learner=learner,
        history=history,
        diverged_at_step=diverged_at_step,
        steps=diverged_at_step or settings.epochs * len(train_batches),
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
