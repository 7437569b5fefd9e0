"""The table of a search's trials, read back: what no trial can have left behind is refused."""

from collections.abc import Sequence

from optbench.core.errors import UsageError
from optbench.core.score import Score
from optbench.core.tables import (
    failing,
    is_count,
    is_finite,
    is_object_of_numbers,
    is_score,
    read_table,
)
from optbench.search.trials import Trial, by_optimizer, folder_of


def read_trials(workload: str, score: Score) -> list[Trial]:
    """The trials of a workload's search; none where it was not searched.

    Raises:
        UsageError: the table is damaged, or holds what cannot be.
    """
    path = folder_of(workload) / "trials.csv"
    if not path.is_file():
        return []
    way_out = f"run `dvc repro {path.parent}/dvc.yaml`"
    trials = read_table(path, Trial, lambda trial: wrong_trial(trial, score), way_out=way_out)
    for optimizer, tried in by_optimizer(trials).items():
        if [trial.trial for trial in tried] != [*range(1, len(tried) + 1)]:
            raise UsageError(f"{path} does not count the trials of {optimizer} from 1: {way_out}")
    return trials


def wrong_trial(trial: Trial, score: Score) -> Sequence[str]:
    """The fields of a trial that cannot be; a score and its loss come together."""
    has_score, has_loss = trial.validation_score is not None, trial.validation_loss is not None
    diverged = trial.diverged_at_step is not None
    return failing(
        seed=is_count(trial.seed, at_least=0),
        values=is_object_of_numbers(trial.values),
        validation_score=is_score(trial.validation_score, score) and not (has_score and diverged),
        validation_loss=is_finite(trial.validation_loss) and has_loss == has_score,
        diverged_at_step=not diverged or is_count(trial.diverged_at_step),
    )
