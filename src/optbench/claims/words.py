"""The reasons of judgements, in sentences."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optbench.claims.judgement import Contrasted, Transfer
from optbench.claims.schema import Arm, ValueClaim
from optbench.evaluation.verdict import INCONCLUSIVE, REPRODUCED, Spread, ValueResult


def unrun(workload: str, arms: Sequence[Arm]) -> str:
    """Which runs are not there; no arms: none at all."""
    if not arms:
        return f"{workload} was not run."
    listed = ", ".join(" / ".join(arm) for arm in arms)
    return f"{workload} lacks runs of {listed}: every seed that the claim names must be there."


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
    return f"{name}: {advantage(worst, quantity)}."


@dataclass(frozen=True)
class Told:
    """What another workload says of an ordering."""

    workload: str
    finding: str
    points: Sequence[str]  # a contrast each, then what limits it

    @property
    def text(self) -> str:
        """In one sentence."""
        return f"{self.workload} {self.finding}: {'; '.join(self.points)}."


def transferred(found: Transfer, quantity: str) -> Told:
    """The words of transfer evidence, contrast by contrast."""
    contrasts = [
        f"{contrast.name}: {contrast.finding}"
        + ("" if contrast.estimate is None else f", {advantage(contrast, quantity)}")
        for contrast in found.contrasts
    ]
    limits = [note[0].lower() + note[1:].rstrip(".") for note in found.notes]
    notes = ["note: " + ", and ".join(limits)] * bool(limits)
    return Told(found.workload, found.finding, [*contrasts, *notes])


def advantage(found: Contrasted, quantity: str) -> str:
    """The estimate of a contrast and, in brackets, what it rests on."""
    if found.estimate is None:
        return "no estimate"
    unit = UNITS[quantity]
    basis = [no_spread(found.n)]
    if found.low is not None and found.high is not None:
        basis = [f"95 % {unit.interval(found.low, found.high)}"]
    basis.append(f"n = {both(found.n)}")
    if found.paired is not None and found.paired.correlation is not None:
        basis.append(f"r = {found.paired.correlation:.2f}")
    if found.p_corrected is not None:
        basis.append(f"p = {found.p_corrected:.2g} after Holm")
    return f"{unit.text(found.estimate)} ({', '.join(basis)})"


def no_spread(n: Sequence[int]) -> str:
    """Why two arms have no interval."""
    return "one run, no spread known" if min(n) == 1 else "runs show no spread"


def both(n: Sequence[int]) -> str:
    """Numbers of runs, arm by arm."""
    return " and ".join(map(str, n))


@dataclass(frozen=True)
class Unit:
    """How an estimate is written; `factor` turns it into the unit."""

    name: str
    form: str = "+.2f"
    factor: float = 1.0

    def text(self, value: float) -> str:
        """With the unit."""
        return f"{self.number(value)} {self.name}".strip()

    def interval(self, low: float, high: float) -> str:
        """From low to high, without the unit."""
        return f"{self.number(low)} to {self.number(high)}"

    def number(self, value: float) -> str:
        """Without the unit."""
        return f"{self.factor * value:{self.form}}"


UNITS = {
    "test_accuracy": Unit("pp", factor=100),  # a difference of accuracies
    "epochs_to_target": Unit("epochs saved"),  # positive is faster
    "step_time_ratio": Unit("", ".2f"),
    "training_hours": Unit("h", ".3g"),
    "peak_memory_gb": Unit("GB", ".3g"),
    "radam_rho": Unit("", ",.0f"),
}


def signed(fraction: float) -> str:
    """A difference of accuracies."""
    return UNITS["test_accuracy"].text(fraction)


def ratio_text(cost: Mapping[str, Any]) -> str:
    """A ratio of step times with its quartiles."""
    ratio, q1, q3 = (cost[f"step_time_ratio{suffix}"] for suffix in ("", "_q1", "_q3"))
    return f"{ratio:.2f} (quartiles {q1:.2f} to {q3:.2f})"
