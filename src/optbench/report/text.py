"""Numbers in words: the same rounding everywhere a person reads."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from optbench.core.run import Override
from optbench.evaluation.evaluate import rank
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary, single_run_interval

NOTHING = "-"


def percent(fraction: float | None, digits: int = 2) -> str:
    """A fraction as per cent, without the sign; a dash for None."""
    return NOTHING if fraction is None else f"{100 * fraction:.{digits}f}"


def number(value: float | None, digits: int = 2) -> str:
    """A number of fixed decimals; a dash for None."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def interval(low: float | None, high: float | None) -> str:
    """An interval of fractions in per cent; accuracies end at 100."""
    if low is None or high is None:
        return NOTHING
    return f"{percent(low)} to {percent(min(high, 1.0))}"


def short(text: str) -> str:
    """A text with each sha256 in it cut to 12 digits."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text)


def run_against_suite(
    run: Metrics, summaries: Sequence[Summary], override: Override, *, withheld: str | None
) -> str:
    """A few lines for the terminal: the single run beside the means of the suite's other runs.

    `withheld`: why there is no ranking, if there is none.
    """
    changes = [f"{name} {value}" for name, value in vars(override).items() if value is not None]
    name = f"{run.name} with {', '.join(changes)}" if changes else run.name
    if run.diverged_at_step is not None:
        return f"{name}: diverged at step {run.diverged_at_step}"
    lines = [
        f"{name}: test accuracy {percent(run.test_accuracy)} % "
        f"({interval(run.test_accuracy_low, run.test_accuracy_high)}, one network)"
    ]
    if withheld:
        return "\n".join([*lines, f"No rank is given: {withheld}."])
    best = max(summaries, key=lambda s: s.accuracy_mean or 0, default=None)
    if best is not None:
        lines.append(
            f"rank {rank(run, summaries)} beside the {len(summaries)} means of the suite's other "
            f"runs; best {best.optimizer} / {best.schedule}, {percent(best.accuracy_mean)} % "
            f"(n = {best.n}): "
            f"{against(run, best)}"
        )
    return "\n".join(lines)


def against(run: Metrics, best: Summary) -> str:
    """A single run less a mean of the suite, in percentage points, with its interval."""
    if run.test_accuracy is None or best.accuracy_mean is None:
        return "no difference can be given"
    difference = run.test_accuracy - best.accuracy_mean
    found = single_run_interval(difference, best.accuracy_sd, best.n)
    if found is None:
        return f"this run {100 * difference:+.2f} pp, no interval below two seeds"
    low, high = found
    return (
        f"this run {100 * difference:+.2f} pp, 95 % interval {100 * low:+.2f} to {100 * high:+.2f} "
        "(one run against the seeds' spread)"
    )


def ratio(cost: Mapping[str, Any]) -> str:
    """A step's time beside SGD's: median and quartiles."""
    low, high = cost["step_time_ratio_q1"], cost["step_time_ratio_q3"]
    return f"{cost['step_time_ratio']:.2f} ({low:.2f} to {high:.2f})"
