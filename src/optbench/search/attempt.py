"""One trial: all that the bits of its row depend on."""

import json
from dataclasses import replace

from optbench.core.errors import NumericalError, UsageError
from optbench.core.run import Run
from optbench.search.trials import Trial, Values
from optbench.training.assembly import prepare
from optbench.training.train import validate


def attempt(run: Run, values: Values, number: int) -> Trial:
    """Trains one trial. Its test set stays unread; what its numbers break is its result.

    Raises:
        UsageError: the task holds out no validation set, by which a trial could be chosen.
    """
    trial = Trial(
        optimizer=run.optimizer,
        trial=number,
        schedule=run.schedule,
        seed=run.seed,
        budget=str(run.settings.budget),
        values=json.dumps(dict(values)),
        validation_score=None,
        validation_loss=None,
        diverged_at_step=None,
    )
    training = prepare(run)
    if training.learner.task.validation() is None:
        raise UsageError(
            f"the task {run.settings.task} holds out no validation set on {run.settings.dataset}, "
            "by which trials could be compared: leave `search` empty"
        )
    try:
        scores, _ = validate(training)
    except NumericalError as error:
        print(error)
        return trial
    if scores is None:
        return replace(trial, diverged_at_step=training.course.diverged_at_step)
    return replace(trial, validation_score=scores.score, validation_loss=scores.loss)
