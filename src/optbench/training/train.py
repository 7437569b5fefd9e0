"""Trains one run, from its seed or from where it was killed, to its outcome."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.records import Outcome, Predictions
from optbench.core.run import Run
from optbench.training.assembly import prepare
from optbench.training.checkpoint import Checkpoints
from optbench.training.identity import identity
from optbench.training.keeper import Keeper
from optbench.training.loop import Scores, Training, Watcher, evaluate, fit
from optbench.training.progress import EpochProgress


def train(run: Run, name: str, kept: Path | None = None) -> tuple[Outcome, nn.Module]:
    """Trains a run and scores it on the test set.

    The same run under the same fingerprint gives the same bits, however often it was killed. The
    test set is read at the end, and, under `train_split: full`, after each epoch, where it decides
    nothing.

    Args:
        run: what to train.
        name: shown with its progress.
        kept: where its checkpoints are, a folder for each identity; who has stored the outcome
            removes it. None: no checkpoints.

    Raises:
        Interrupted: a signal asked for the end; a checkpoint is written.
        UsageError: memory or disk do not suffice.
    """
    with memory_told(run), ExitStack() as stack:
        training = prepare(run)
        watchers: list[Watcher] = []
        if kept is not None:
            checkpoints = Checkpoints(kept / identity([run], training.fingerprint))
            if checkpoints.restore(training):
                done = f"step {training.step} of {training.steps}"
                print(f"{name}: goes on after {done}, from {checkpoints.folder}", flush=True)
            watchers.append(stack.enter_context(Keeper(training, checkpoints)))
        watchers.append(stack.enter_context(EpochProgress(name, training)))
        fit(training, *watchers)
        diverged = training.course.diverged_at_step is not None
        scores = None if diverged else evaluate(training.learner, training.test, *watchers)
    return outcome(training, scores), training.learner.model


def outcome(training: Training, scores: Scores | None) -> Outcome:
    """What is stored of a training that has come to its end; None: it diverged."""
    course = training.course
    return Outcome(
        history=course.history,
        diagnostics=course.diagnostics,
        predictions=predictions(scores)
        if scores
        else Predictions(actual=[], predicted=[], confidence=[]),
        test_loss=scores.loss if scores else None,
        test_accuracy=scores.accuracy if scores else None,
        diverged_at_step=course.diverged_at_step,
        steps=course.diverged_at_step or training.steps,
        fingerprint=training.fingerprint,
    )


def predictions(scores: Scores) -> Predictions:
    """What is stored of the test scores; confidence to four decimals keeps the file small."""
    return Predictions(
        actual=scores.labels.tolist(),
        predicted=scores.predicted.tolist(),
        confidence=[round(value, 4) for value in scores.confidence.double().tolist()],
    )


def save_weights(model: nn.Module, path: Path) -> None:
    """Writes parameters and buffers as safetensors; what is tied stands there twice."""
    dense = torch.contiguous_format
    tensors = {
        name: t.detach().cpu().clone(memory_format=dense) for name, t in model.state_dict().items()
    }
    publish(path, save(tensors))


@contextmanager
def memory_told(run: Run) -> Iterator[None]:
    """Says what to do where memory does not suffice; nothing is made smaller silently.

    Raises:
        UsageError: in place of the errors of Python, torch and CUDA.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not (is_memory or "allocate memory" in str(error)):
            raise
        raise UsageError(
            f"out of memory with workloads.{run.workload}.batch_size {run.settings.batch_size}: "
            "free memory and run the same command to go on, or choose a smaller batch_size, which "
            "is another experiment"
        ) from error
