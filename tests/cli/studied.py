"""Studies as their stages leave them, where none was carried out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.cli.recorded import record
from tests.evaluation.examples import outcome

from optbench.core import records, rows
from optbench.core.records import Outcome
from optbench.core.run import Run
from optbench.core.score import Score
from optbench.core.span import Span
from optbench.core.study import Study
from optbench.studies.points import trials
from optbench.studies.trials import FILE, Trial, choice, trial_of

LOCK = Path("workloads/digits-cnn/dvc.lock")
IMAGES = 1000
SPAN = Span(0, 1)  # of the studies of each arm
# Of a study of that number, the validation score of each trial; None: it diverged.
Scores = Sequence[tuple[Study, int, Sequence[float | None]]]


def carried_out(
    scores: Scores, score: Score, root: Path, *, test: float = 0.75, span: Span = SPAN,
    **changes: Any,
) -> None:  # fmt: skip
    """Leaves studies below a root, with the lock file that records them; `changes` to outcomes."""
    folders = {}
    for study, number, validation in scores:
        folder = Path(f"results/digits-cnn/suite/{study.arm.key}-{span}")
        place = root / folder / str(number)
        leave(place, study, number, validation, score, test=test, **changes)
        folders[folder] = None
    record(LOCK, *folders, root=root)


def leave(
    folder: Path, study: Study, number: int, validation: Sequence[float | None], score: Score, *,
    test: float, **changes: Any,
) -> None:  # fmt: skip
    """The folder of a study."""
    runs = trials(study, number)
    outcomes = [
        replace(trained(run, value, test), **changes)
        for run, value in zip(runs, validation, strict=True)
    ]
    table = [trial_of(o, study, number, index) for index, o in enumerate(outcomes, start=1)]
    winner = outcomes[choice(table, score).trial - 1]
    records.write(winner, folder, {FILE: rows.to_csv(Trial, table)})


def trained(run: Run, validation: float | None, test: float) -> Outcome:
    """A trial of that validation score, and predictions of that test score."""
    if validation is None:
        return outcome(run, predictions={}, test_score=None, test_loss=None, diverged_at_step=7)
    wrong = round(IMAGES * (1 - test))
    predictions = {
        "actual": [0] * IMAGES, "predicted": [1] * wrong + [0] * (IMAGES - wrong),
        "confidence": [0.9] * IMAGES,
    }  # fmt: skip
    return outcome(
        run, validation_score=validation, validation_loss=0.5, test_score=test,
        predictions=predictions,
    )  # fmt: skip
