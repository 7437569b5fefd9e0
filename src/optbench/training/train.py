"""Trains one run and scores it: all that the bits of a result depend on, and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save

from optbench.core.records import Outcome
from optbench.core.run import Run
from optbench.training.assembly import packages
from optbench.training.loop import Scores, Training, Watcher, evaluate, fit, judged_weights


def complete(run: Run, training: Training, *watchers: Watcher) -> Outcome:
    """Trains to the end and scores the last step, not the best.

    The validation set is read at its points and at the end, the test set at the end; where no
    validation set is held out, a fixed part of the test set draws the curve and decides nothing.
    """
    fit(training, *watchers)
    if training.course.diverged_at_step is not None:
        return outcome(run, training, None, None)
    task = training.learner.task
    held_out = task.validation()
    validation = evaluate(training, held_out, *watchers) if held_out else None
    return outcome(run, training, validation, evaluate(training, task.test(), *watchers))


def outcome(
    run: Run, training: Training, validation: Scores | None, test: Scores | None
) -> Outcome:
    """What is stored of a training that has come to its end; no test scores: it diverged."""
    course = training.course
    columns: Mapping[str, Sequence[Any]] = test.columns if test else {}
    return Outcome(
        run=run,
        packages=packages(training.learner.optimizer),
        history=course.history,
        diagnostics=course.diagnostics,
        predictions=columns,
        test_loss=test.loss if test else None,
        test_score=test.score if test else None,
        validation_loss=validation.loss if validation else None,
        validation_score=validation.score if validation else None,
        diverged_at_step=course.diverged_at_step,
        steps=course.diverged_at_step or training.steps,
        steps_per_epoch=len(training.train),
        fingerprint=training.fingerprint,
    )


def weights(training: Training) -> bytes:
    """The parameters and buffers that were judged, as safetensors; what is tied stands twice."""
    dense = torch.contiguous_format
    with judged_weights(training):
        tensors = {
            name: t.detach().cpu().clone(memory_format=dense)
            for name, t in training.learner.model.state_dict().items()
        }
    return save(tensors)
