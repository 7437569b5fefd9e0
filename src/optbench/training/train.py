"""Trains one run from its seed to its outcome."""

from pathlib import Path

from safetensors.torch import save
from torch import nn

from optbench.core.records import Outcome, Predictions
from optbench.core.rows import publish
from optbench.core.run import Run
from optbench.training.assembly import build_batches, build_learner, build_scheduler, load_data
from optbench.training.device import fingerprint, make_repeatable
from optbench.training.loop import Scores, evaluate, fit
from optbench.training.progress import EpochProgress


def train(run: Run, name: str) -> tuple[Outcome, nn.Module]:
    """Trains and scores a run; `name` is shown with its progress.

    The same run under the same fingerprint gives the same bits. The test set is read at the end,
    and, under `train_split: full`, after each epoch, where it decides nothing.
    """
    settings = run.settings
    device = make_repeatable(settings)
    data = load_data(settings)
    train_batches, heldout, test = build_batches(settings, data, run.seed, device)
    learner = build_learner(run, data, device)
    scheduler = build_scheduler(run, learner.optimizer, len(train_batches))
    steps = len(train_batches)
    with EpochProgress(name, epochs=settings.epochs, steps_per_epoch=steps) as progress:
        course = fit(
            learner,
            scheduler,
            train=train_batches,
            heldout=heldout,
            epochs=settings.epochs,
            watcher=progress,
        )
    diverged_at_step = course.diverged_at_step
    scores = None if diverged_at_step else evaluate(learner, test)
    outcome = Outcome(
        history=course.history,
        diagnostics=course.diagnostics,
        predictions=predictions(scores)
        if scores
        else Predictions(actual=[], predicted=[], confidence=[]),
        test_loss=scores.loss if scores else None,
        test_accuracy=scores.accuracy if scores else None,
        diverged_at_step=diverged_at_step,
        steps=diverged_at_step or settings.epochs * steps,
        fingerprint=fingerprint(settings, device, data.digest),
    )
    return outcome, learner.model


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
