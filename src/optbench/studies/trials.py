"""The trials of studies: the row that each leaves behind, and which of them is chosen."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from optbench.core.records import Outcome
from optbench.core.score import Score
from optbench.core.space import Values
from optbench.core.study import Study

FILE = "trials.csv"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial; scores are those after the last step, None where it diverged."""

    study: int
    trial: int  # counted from 1
    seed: int
    values: str  # the searched hyper-parameters, a JSON object
    validation_score: float | None  # None too where nothing is held out
    validation_loss: float | None
    test_score: float | None  # read for `optbench.evaluation` alone; it chooses nothing
    test_loss: float | None
    diverged_at_step: int | None  # counted from 1

    @property
    def hyper(self) -> Values:
        """The searched hyper-parameters, in the order of the space."""
        values: Values = json.loads(self.values)
        return values


def trial_of(outcome: Outcome, study: Study, number: int, trial: int) -> Trial:
    """The row of a finished trial."""
    return Trial(
        study=number,
        trial=trial,
        seed=outcome.run.seed,
        values=json.dumps(study.values(outcome.run)),
        validation_score=outcome.validation_score,
        validation_loss=outcome.validation_loss,
        test_score=outcome.test_score,
        test_loss=outcome.test_loss,
        diverged_at_step=outcome.diverged_at_step,
    )


def merit(trial: Trial, score: Score) -> tuple[float, float] | None:
    """By what trials are chosen: the validation score, and of equals, the loss; None: neither."""
    if trial.validation_score is None or trial.validation_loss is None:
        return None
    return score.gain(trial.validation_score), -trial.validation_loss


def choice(trials: Iterable[Trial], score: Score) -> Trial:
    """The trial of the best validation score; the first of equals, or where none has any."""
    listed = list(trials)
    ranked = [(value, trial) for trial in listed if (value := merit(trial, score)) is not None]
    return max(ranked, key=lambda entry: entry[0])[1] if ranked else listed[0]
