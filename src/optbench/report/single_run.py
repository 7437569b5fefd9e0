"""The single run in words: beside the suite's other runs, and how long it trained."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from optbench.core.prose import Prose
from optbench.core.records import Point
from optbench.core.run import Run
from optbench.core.score import Score
from optbench.core.tables import is_count, is_finite
from optbench.evaluation.evaluate import rank
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary, best_first, single_run_interval
from optbench.params.schema import Override
from optbench.report.text import counted, interval


def run_against_suite(
    run: Metrics,
    summaries: Sequence[Summary],
    override: Override,
    *,
    score: Score,
    withheld: Prose | None,
) -> str:
    """A few lines for the terminal: the single run beside the means of the suite's other runs.

    `withheld`: why there is no ranking, if there is none.
    """
    changes = [f"{name} {value}" for name, value in override.given.items()]
    name = f"{run.name} with {', '.join(changes)}" if changes else run.name
    if run.diverged_at_step is not None or run.test_score is None:
        return f"{name}: diverged at step {run.diverged_at_step}"
    lines = [f"{name}: test {score.name} {score.with_unit(run.test_score)}"]
    if run.test_score_low is not None:
        ends = interval(score, run.test_score_low, run.test_score_high)
        lines[0] += f" ({ends}, one network)"
    if withheld:
        return "\n".join([*lines, f"No rank is given: {withheld}."])
    best = next(iter(best_first(summaries, score)), None)
    if best is not None and best.score_mean is not None:
        lines.append(
            f"rank {rank(run, summaries, score)} beside the {len(summaries)} means of the suite's "
            f"other runs; best {best.arm}, {score.with_unit(best.score_mean)} (n = {best.n}): "
            f"{against(run.test_score - best.score_mean, best, score)}"
        )
    return "\n".join(lines)


def unlike_cells(run: Run, cells: Sequence[Run]) -> str | None:
    """What sets the single run apart from the suite's cells beside its arm and overrides."""
    threads = {cell.settings.threads for cell in cells} - {run.settings.threads}
    if not threads:
        return None
    return (
        f"It trained with {counted(run.settings.threads, 'thread')}, the suite's runs with "
        f"{max(threads)}: sums are added in another order, so its bits are not theirs."
    )


def against(difference: float, best: Summary, score: Score) -> str:
    """What a single run has less than, or over, a mean of the suite, with its interval."""
    ends = single_run_interval(difference, best.score_sd, best.n)
    if ends is None:
        return f"this run {score.difference(difference)}, no interval below two seeds"
    low, high = map(score.difference, ends)
    return (
        f"this run {score.difference(difference)}, 95 % interval {low} to {high} "
        "(one run against the seeds' spread)"
    )


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
