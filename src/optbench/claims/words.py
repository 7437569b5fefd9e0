"""The reasons of judgements, in sentences."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from optbench.claims.judgement import Contrasted, Transfer
from optbench.claims.schema import EPOCHS, SCORE, EquivalenceClaim, Usage, ValueClaim
from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.core.score import Score
from optbench.cost.cost import Cost
from optbench.evaluation.text import amount, percent, plain, with_unit
from optbench.evaluation.verdict import (
    INCONCLUSIVE,
    REFUTED,
    REPRODUCED,
    SUPPORTED,
    UNDECIDED,
    Estimate,
    Spread,
    ValueResult,
)


def unrun(workload: str, arms: Sequence[Arm]) -> Prose:
    """Which studies are not there; no arms: none at all."""
    if not arms:
        return Prose.of(f"{workload} was not run.")
    listed = Prose.join(", ", [Mention(workload, arm) for arm in arms])
    return Prose.of(f"{workload} lacks studies of ", listed, ".")


def value_reason(claim: ValueClaim, result: ValueResult, score: Score) -> str:
    """What decided on a claimed value, or why nothing did."""
    mean = f"The mean of {result.n} runs is {score.with_unit(claim.claimed + result.difference)}"
    claimed = with_unit(plain(claim.claimed, score), score.unit)
    head = f"{mean}, {score.difference(result.difference)} from the {claimed} claimed"
    if result.low is None or result.high is None or result.p is None:
        return f"{head}, and no arm has two runs: without a spread nothing can be said."
    head += f" (90 % interval {score.difference(result.low)} to {score.difference(result.high)})"
    within = with_unit(plain(claim.margin, score), score.difference_unit)
    if result.verdict == REPRODUCED:
        return f"{head}, which lies within {within}."
    if result.verdict != INCONCLUSIVE:
        return f"{head}, which chance does not explain (p = {result.p:.2g})."
    head += f", which is neither surely within {within} nor beyond chance (p = {result.p:.2g})"
    if result.decisive_n is None or math.isinf(result.decisive_n):
        noisy = "single run is" if claim.k0 == 1 else f"{claim.k0} runs are"
        return f"{head}; no number of runs can decide it: the claim's own {noisy} too noisy."
    return f"{head}; about {result.decisive_n:.0f} runs would decide it."


def spread_note(spread: Spread, scores: Sequence[float], score: Score) -> str:
    """The spread that judged an arm beside that of the arm: where the latter is larger, beware."""
    digits = score.digits + 1
    arm = amount(score, statistics.stdev(scores), digits) if len(scores) > 1 else "unknown"
    pooled = amount(score, spread.sd, digits)
    return f"sd {pooled}, pooled over arms, df {spread.df}; this arm's own: {arm}."


def ordering_reason(worst: Contrasted, unit: "Unit", *, of: int) -> Prose:
    """The contrast that fares worst of several, in a sentence."""
    name = worst.name if of == 1 else Prose.of(f"The worst of {of} contrasts is ", worst.name)
    if worst.estimate is None:
        return Prose.of(name, ": all runs of an arm diverged, so there is nothing to compare.")
    return Prose.of(name, f": {advantage(worst, unit)}.")


def equivalence_reason(claim: EquivalenceClaim, result: Estimate, unit: "Unit") -> Prose:
    """What decided on two arms that are claimed to be as good, or why nothing did."""
    name = Prose.join(" beside ", [Mention(claim.workload, arm) for arm in claim.contrast.arms])
    if result.value is None or result.low is None or result.high is None:
        return Prose.of(name, ": too few studies, or they show no spread.")
    within = {
        SUPPORTED: "lies within", REFUTED: "lies beyond", UNDECIDED: "does not lie within",
    }[result.verdict]  # fmt: skip
    return Prose.of(
        name,
        f": {unit.text(result.value)}, whose interval {unit.interval(result.low, result.high)}"
        f" (90 %) {within} {unit.number(claim.margin).lstrip('+')} either way.",
    )


@dataclass(frozen=True, kw_only=True)
class TransferText:
    """What another workload says of an ordering, in words."""

    workload: str
    finding: str
    points: Sequence[Prose]  # a contrast each, then what limits it

    @property
    def sentence(self) -> Prose:
        """In one sentence."""
        head = f"{self.workload} {self.finding}: "
        return Prose.of(head, Prose.join("; ", self.points), ".")


def transferred(transfer: Transfer, *, quantity: str, score: Score) -> TransferText:
    """The words of transfer evidence, contrast by contrast; `score`: the other workload's."""
    unit = advantage_unit(quantity, score)
    points = [
        Prose.of(
            contrast.name,
            f": {contrast.finding}",
            "" if contrast.estimate is None else f", {advantage(contrast, unit)}",
        )
        for contrast in transfer.contrasts
    ]
    if transfer.notes:
        limits = Prose.join(", and ", [_clause(note) for note in transfer.notes])
        points.append(Prose.of("note: ", limits))
    return TransferText(workload=transfer.workload, finding=transfer.finding, points=points)


def _clause(sentence: Prose) -> Prose:
    """A sentence as part of another: without its capital and its full stop."""
    first, *rest = sentence
    pieces = [first[:1].lower() + first[1:] if isinstance(first, str) else first, *rest]
    last = pieces[-1]
    pieces[-1] = last.rstrip(".") if isinstance(last, str) else last
    return Prose.of(*pieces)


def advantage(contrasted: Contrasted, unit: "Unit") -> str:
    """The estimate of a contrast and, in brackets, what it rests on."""
    if contrasted.estimate is None:
        return "no estimate"
    basis = ["one study, no spread known" if min(contrasted.n) == 1 else "studies show no spread"]
    if contrasted.low is not None and contrasted.high is not None:
        basis = [f"95 % {unit.interval(contrasted.low, contrasted.high)}"]
    basis.append(f"n = {both(contrasted.n)}")
    if contrasted.p_corrected is not None:
        basis.append(f"p = {contrasted.p_corrected:.2g} after Holm")
    text = f"{unit.text(contrasted.estimate)} ({', '.join(basis)})"
    if contrasted.ahead is None:
        return text
    return f"ahead in {percent(contrasted.ahead)} of all pairs of studies, {text}"


def both(n: Sequence[int]) -> str:
    """Numbers of studies, arm by arm."""
    return " and ".join(map(str, n))


@dataclass(frozen=True, kw_only=True)
class Unit:
    """How an estimate is written; `factor` turns it into the unit."""

    name: str
    form: str
    factor: float = 1.0

    def text(self, value: float) -> str:
        """With the unit."""
        return with_unit(self.number(value), self.name)

    def interval(self, low: float, high: float) -> str:
        """From low to high, without the unit."""
        return f"{self.number(low)} to {self.number(high)}"

    def number(self, value: float) -> str:
        """Without the unit."""
        return f"{self.factor * value:{self.form}}"


MEASURED = {
    EPOCHS: Unit(name="epochs saved", form="+.2f"),  # positive is faster
    "step_time_ratio": Unit(name="", form=".2f"),
    "training_hours": Unit(name="h", form=".3g"),
    "peak_memory_gb": Unit(name="GB", form=".3g"),
    "storage_gb": Unit(name="GB", form=".3g"),
    "ram_gb": Unit(name="GB", form=".3g"),
    "radam_rho": Unit(name="", form=",.0f"),
}


def parts_text(usage: Usage, unit: "Unit") -> str:
    """What a usage is made of, in a sentence."""
    if len(usage.parts) == 1:
        return f"That is {next(iter(usage.parts))}."
    listed = "; ".join(f"{name} {unit.text(size)}" for name, size in usage.parts.items())
    return f"It is made of: {listed}."


def unit_of(quantity: str, score: Score | None) -> Unit:
    """That of a quantity's estimates; `score`: the workload's, if the claim is of one."""
    if quantity == SCORE and score is not None:
        return Unit(name=score.difference_unit, form=f"+.{score.digits}f", factor=score.factor)
    return MEASURED[quantity]


def advantage_unit(quantity: str, score: Score) -> Unit:
    """That of an advantage, of which more is better; `score`: the workload's."""
    unit = unit_of(quantity, score)
    if quantity == SCORE and not score.higher_is_better:
        return replace(unit, name=f"{unit.name} lower".strip())
    return unit


def ratio_text(cost: Cost) -> str:
    """A ratio of step times with its quartiles."""
    low, high = cost.step_time_ratio_q1, cost.step_time_ratio_q3
    return f"{cost.step_time_ratio:.2f} (quartiles {low:.2f} to {high:.2f})"
