"""Reads and scores what a plan names; what else lies in the folder of results is not looked at."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optbench.core import records, registry
from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.records import Outcome
from optbench.core.run import Run
from optbench.core.score import Score
from optbench.core.span import Span
from optbench.core.study import Study
from optbench.evaluation.metrics import Metrics, metrics_of
from optbench.studies.points import trials
from optbench.studies.table import read_trials, require_trials
from optbench.studies.trials import FILE, Trial, choice, trial_of

RESULTS = Path("results")
DIGEST_SHOWN = 12  # digits of a sha256
ABSENT = "absent"


class ResultError(UsageError):
    """The plan names a run that has no valid result."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a study left behind: all its trials, and the outcome of the one that it chose."""

    arm: Arm
    number: int
    folder: Path
    trials: Sequence[Trial]
    outcome: Outcome

    @property
    def sums(self) -> Path:
        """The file with the sha256 of each of its files."""
        return self.folder / records.SUMS


def read_results(studies: Sequence[Study], spans: Sequence[Span], score: Score) -> list[Result]:
    """What the studies of a suite left behind, in its order.

    Raises:
        ResultError: names every study without a valid result.
    """
    results: list[Result] = []
    problems: list[str] = []
    for study in studies:
        folders = [
            (span.folder(study.arm.key), number) for span in spans for number in span.numbers
        ]
        for folder, number in folders:
            try:
                results.append(read_result(study, number, folder / str(number), score))
            except ResultError as error:
                problems.append(str(error))
    if problems:
        raise ResultError("\n".join([*problems, "Run `dvc repro` to carry out what is missing."]))
    return results


def read_result(study: Study, number: int, place: Path, score: Score) -> Result:
    """What the study in `results/<workload>/<place>/` left behind.

    Raises:
        ResultError: there is no valid result, it is not the planned study's, its choice is not the
            best by validation, or a score is not that of the predictions; the message names it.
    """
    folder = RESULTS / study.workload / place
    way_out = "`dvc repro` carries the study out again"
    try:
        outcome = records.read(folder)
        table = read_trials(folder / FILE, score, way_out=way_out)
        runs = trials(study, number)
        require_trials(table, study, runs, path=folder / FILE)
        chosen = choice(table, score)
        require_planned(outcome.run, runs[chosen.trial - 1], folder=folder)
        if trial_of(outcome, study, number, chosen.trial) != chosen:
            raise UsageError(f"{folder} holds another run than trial {chosen.trial}: {way_out}")
        require_recounted(outcome, folder=folder)
    except UsageError as error:
        raise ResultError(f"{study.workload}/{study.name(number)}: {error}") from error
    return Result(arm=study.arm, number=number, folder=folder, trials=table, outcome=outcome)


def score_result(result: Result, *, target: float) -> Metrics:
    """The metrics of a study; `target` is one of the held-out score."""
    return metrics_of(result.outcome, target=target, arm=result.arm, study=result.number)


def score_single(planned: Run, *, target: float) -> Metrics:
    """The metrics of the single run, in `results/<workload>/run/`.

    Raises:
        ResultError: there is no valid result, it is not the planned run's, or its score is not
            that of its predictions.
    """
    folder = RESULTS / planned.workload / "run"
    try:
        outcome = records.read(folder)
        require_planned(outcome.run, planned, folder=folder)
        require_recounted(outcome, folder=folder)
    except UsageError as error:
        raise ResultError(f"{planned.workload}/run: {error}") from error
    return metrics_of(outcome, target=target)


def require_planned(trained: Run, planned: Run, *, folder: Path) -> None:
    """Refuses a result of another run than the planned one, down to the code of its parts.

    Raises:
        UsageError: names each key that differs, with the value of the result and of the plan.
    """
    sentences = [
        f"{name} is {value} in the result and {expected} in the plan"
        for name, (value, expected) in differing(trained.as_dict(), planned.as_dict()).items()
    ]
    if sentences:
        raise UsageError(
            f"{folder} is not of the planned run: {'; '.join(sentences)}: `dvc repro` trains it "
            "again"
        )


def differing(trained: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What is not alike in two runs: by its name, the value of the result and of the plan."""
    results, plans = dict(_leaves(trained)), dict(_leaves(planned))
    return {
        _named(key): (_shown(key, results), _shown(key, plans))
        for key in dict.fromkeys([*results, *plans])
        if results.get(key, ABSENT) != plans.get(key, ABSENT)
    }


def require_recounted(outcome: Outcome, *, folder: Path) -> None:
    """Refuses a test score that is not what the task counts from the predictions.

    Raises:
        UsageError: names both.
    """
    columns = outcome.predictions
    predicted = any(len(column) for column in columns.values())
    task = registry.load_score(outcome.run.settings.task)
    recounted = task.recount(columns) if predicted else None
    if recounted != outcome.test_score or predicted != (outcome.diverged_at_step is None):
        raise UsageError(
            f"{folder} has a test score of {outcome.test_score}, and its predictions come to "
            f"{recounted}: `dvc repro` makes it again"
        )


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The path of each value that is no mapping, with its text in JSON."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    else:
        yield path, json.dumps(value)


def _named(path: tuple[str, ...]) -> str:
    """A key in words."""
    return f"the code of {path[1]}" if path[0] == "code" else ".".join(path)


def _shown(path: tuple[str, ...], leaves: Mapping[tuple[str, ...], str]) -> str:
    """A value, a digest of code by its first digits."""
    text = leaves.get(path, ABSENT).strip('"')
    return text[:DIGEST_SHOWN] if path[0] == "code" else text
