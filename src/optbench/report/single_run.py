"""The single run in words: where it lies among its arm's studies, and how long it trained."""

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optbench.core.records import Point
from optbench.core.run import Run
from optbench.core.score import Score
from optbench.core.tables import is_count, is_finite
from optbench.evaluation.evaluate import Result
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.text import counted, interval, percent
from optbench.evaluation.verdict import share_ahead
from optbench.params.schema import Override
from optbench.studies.trials import choice


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the single run lies in its arm's distribution; None: its arm was not run."""

    above_trials: float | None = None  # the share of all trials that it is better than
    trials: int = 0
    above_studies: float | None = None  # the same of what studies chose
    studies: int = 0


def standing_of(run: Metrics, results: Sequence[Result], score: Score) -> Standing:
    """Where a run lies among the trials and the studies of its arm.

    A tie counts as half; one that diverged as worse than all.
    """
    if not results or run.test_score is None:
        return Standing()
    trials = [trial.test_score for result in results for trial in result.trials]
    studies = [result.outcome.test_score for result in results]
    above_trials, above_studies = (
        share_ahead(
            [score.gain(run.test_score)],
            [-math.inf if value is None else score.gain(value) for value in values],
        )
        for values in (trials, studies)
    )
    return Standing(
        above_trials=above_trials,
        trials=len(trials),
        above_studies=above_studies,
        studies=len(studies),
    )


def run_in_words(run: Metrics, standing: Standing, override: Override, score: Score) -> str:
    """A few lines for the terminal: the single run, and where it lies in its arm's distribution.

    It is not ranked: its values are the best of all trials, or whatever was asked for.
    """
    changes = [f"{name} {value}" for name, value in override.given.items()]
    name = f"{run.name} with {', '.join(changes)}" if changes else run.name
    if run.diverged_at_step is not None or run.test_score is None:
        return f"{name}: diverged at step {run.diverged_at_step}"
    line = f"{name}: test {score.name} {score.with_unit(run.test_score)}"
    if run.test_score_low is not None:
        ends = interval(score, run.test_score_low, run.test_score_high)
        line += f" ({ends}, one network)"
    if standing.above_trials is None or standing.above_studies is None:
        return f"{line}\nno study of {run.arm} says where that lies"
    return (
        f"{line}\nbetter than {percent(standing.above_trials)} of the {standing.trials} trials of "
        f"{run.arm}, and than {percent(standing.above_studies)} of what its "
        f"{counted(standing.studies, 'study')} chose"
    )


def source_of_values(run: Run, results: Sequence[Result], score: Score) -> str | None:
    """Where a run's searched values come from, if they are those of the best trial of all."""
    trials = [trial for result in results for trial in result.trials]
    if not trials:
        return None
    best = choice(trials, score)
    if any(run.optimizer_args.get(name) != value for name, value in best.hyper.items()):
        return None
    return f"its values: best of {len(trials)} trials, by validation"


def training_s(log: Path, history: Sequence[Point]) -> float | None:
    """Seconds; None where the log is not that of this history, as after results were restored.

    A point to which a run was trained again after a kill counts once, and a line that is cut or
    damaged not at all.
    """
    last = {line["step"]: line for line in whole_lines(log)}
    losses = [(step, last[step]["heldout_loss"]) for step in sorted(last)]
    if losses != [(point.step, point.heldout_loss) for point in history]:
        return None
    return sum(float(line["time_s"]) for line in last.values())


def whole_lines(log: Path) -> list[dict[str, Any]]:
    """The lines of a log that tell of a point and its time; none where there is no log."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):  # cut off, or damaged
            lines.append(json.loads(line))
    return [line for line in lines if _is_point(line)]


def _is_point(line: Any) -> bool:
    """Whether a line of a log tells of a point and its time."""
    if not isinstance(line, dict) or not is_count(line.get("step")):
        return False
    loss, time_s = line.get("heldout_loss"), line.get("time_s")
    return (
        isinstance(loss, int | float) and time_s is not None and is_finite(time_s) and time_s >= 0
    )
