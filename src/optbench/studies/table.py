"""Tables of trials, read back: what no trial can have left behind is refused."""

from collections.abc import Sequence
from pathlib import Path

from optbench.core.errors import UsageError
from optbench.core.run import Run
from optbench.core.score import Score
from optbench.core.study import Study
from optbench.core.tables import (
    failing,
    is_count,
    is_finite,
    is_object_of_numbers,
    is_score,
    read_table,
)
from optbench.studies.trials import Trial


def read_trials(path: Path, score: Score, *, way_out: str) -> list[Trial]:
    """A table of trials.

    Raises:
        UsageError: it is missing or damaged, or holds what cannot be.
    """
    return read_table(path, Trial, lambda trial: wrong_trial(trial, score), way_out=way_out)


def wrong_trial(trial: Trial, score: Score) -> Sequence[str]:
    """The fields of a trial that cannot be; a score and its loss come together."""
    diverged = trial.diverged_at_step is not None
    has_validation, has_test = trial.validation_score is not None, trial.test_score is not None
    return failing(
        study=is_count(trial.study, at_least=0),
        trial=is_count(trial.trial),
        seed=is_count(trial.seed, at_least=0),
        values=is_object_of_numbers(trial.values),
        validation_score=is_score(trial.validation_score, score)
        and not (has_validation and diverged),
        validation_loss=is_finite(trial.validation_loss)
        and has_validation == (trial.validation_loss is not None),
        test_score=is_score(trial.test_score, score) and has_test != diverged,
        test_loss=is_finite(trial.test_loss) and has_test == (trial.test_loss is not None),
        diverged_at_step=not diverged or is_count(trial.diverged_at_step),
    )


def require_trials(
    trials: Sequence[Trial], study: Study, runs: Sequence[Run], *, path: Path
) -> None:
    """Refuses trials of other points or seeds than the planned ones.

    Raises:
        UsageError: names the first.
    """
    planned = [(index, run.seed, study.values(run)) for index, run in enumerate(runs, start=1)]
    carried_out = [(trial.trial, trial.seed, dict(trial.hyper)) for trial in trials]
    if carried_out != planned:
        raise UsageError(
            f"{path} holds other trials of {study.arm} than are planned: `dvc repro` carries them "
            "out again"
        )
