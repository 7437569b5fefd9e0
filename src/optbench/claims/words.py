"""The reasons of judgements, in sentences."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from optbench.claims.judgement import Contrasted
from optbench.claims.schema import Arm, ValueClaim
from optbench.evaluation.verdict import INCONCLUSIVE, REPRODUCED, Spread, ValueResult


def unrun(workload: str, arms: Sequence[Arm]) -> str:
    """Which runs are not there; no arms: none at all."""
    if not arms:
        return f"{workload} was not run."
    listed = ", ".join(" / ".join(arm) for arm in arms)
    return f"{workload} has no runs of {listed} with the seeds that the claim needs."


def value_reason(claim: ValueClaim, found: ValueResult) -> str:
    """What decided on a claimed value, or why nothing did."""
    if found.difference is None:
        return "There are no runs."
    mean = f"The mean of {found.n} runs is {100 * (claim.claimed + found.difference):.2f} %"
    head = f"{mean}, {signed(found.difference)} from the {100 * claim.claimed:.1f} % claimed"
    if found.low is None or found.high is None or found.p is None:
        return f"{head}, and no arm has two runs: without a spread nothing can be said."
    head += f" (90 % interval {signed(found.low)} to {signed(found.high)})"
    within = f"{100 * claim.margin:g} pp"
    if found.verdict == REPRODUCED:
        return f"{head}, which lies within {within}."
    if found.verdict != INCONCLUSIVE:
        return f"{head}, which chance does not explain (p = {found.p:.2g})."
    head += f", which is neither surely within {within} nor beyond chance (p = {found.p:.2g})"
    if found.decisive_n is None or math.isinf(found.decisive_n):
        own = "single run is" if claim.k0 == 1 else f"{claim.k0} runs are"
        return f"{head}; no number of runs can decide it: the claim's own {own} too noisy."
    return f"{head}; about {found.decisive_n:.0f} runs would decide it."


def spread_note(spread: Spread, accuracies: Sequence[float]) -> str:
    """The spread that judged an arm beside its own: where the latter is larger, beware."""
    own = f"{100 * statistics.stdev(accuracies):.3f} pp" if len(accuracies) > 1 else "unknown"
    return f"sd {100 * spread.sd:.3f} pp, pooled over arms, df {spread.df}; this arm's own: {own}."


def ordering_reason(worst: Contrasted, quantity: str, *, of: int) -> str:
    """The contrast that fares worst of several, in a sentence."""
    name = worst.name if of == 1 else f"The worst of {of} contrasts is {worst.name}"
    if worst.estimate is None:
        return f"{name}: all runs of an arm diverged, so there is nothing to compare."
    text = signed if quantity == "test_accuracy" else epochs_saved
    head = f"{name}: {text(worst.estimate)}"
    if worst.low is None or worst.high is None or worst.p is None:
        return f"{head}, without an interval, since runs show no spread."
    return (
        f"{head} (95 % interval {text(worst.low)} to {text(worst.high)}), p = {worst.p:.2g}, "
        f"after Holm's correction {worst.p_corrected:.2g}."
    )


def signed(fraction: float) -> str:
    """A difference of accuracies."""
    return f"{100 * fraction:+.2f} pp"


def epochs_saved(epochs: float) -> str:
    """A difference in epochs to the target; positive is faster."""
    return f"{epochs:+.2f} epochs saved"


def ratio_text(cost: Mapping[str, Any]) -> str:
    """A ratio of step times with its quartiles."""
    ratio, q1, q3 = (cost[f"step_time_ratio{suffix}"] for suffix in ("", "_q1", "_q3"))
    return f"{ratio:.2f} (quartiles {q1:.2f} to {q3:.2f})"
