"""What to believe of a claim today, by a stated rule, from three kinds of evidence.

What was run here on the claim's own workload decides. Where that is undecided or was not run,
smaller workloads (transfer evidence) and figures of others (published evidence) lean for or against
it where both do. Else the claim is open. Of a claim that nothing measures there is none.
"""

from dataclasses import dataclass

from optbench.claims import published
from optbench.claims.judgement import AS_TRANSFER, Judgement
from optbench.claims.published import Published
from optbench.evaluation import verdict

LEANING_FOR, LEANING_AGAINST, OPEN = "leaning for", "leaning against", "open"
UNDECIDED = (verdict.NOT_RUN, verdict.UNDECIDED, verdict.INCONCLUSIVE)


@dataclass(frozen=True, kw_only=True)
class Belief:
    """What to believe, and the kinds of evidence that say so."""

    word: str
    by: tuple[str, ...] = ()


def belief_in(judgement: Judgement, on: Published | None) -> Belief:
    """By the rule of this module; `on`: None where published evidence was not looked at."""
    if judgement.verdict == verdict.NO_MEASURE:
        return Belief(word=verdict.NO_MEASURE)
    if judgement.verdict not in UNDECIDED:
        return Belief(word=judgement.verdict, by=("run here",))
    transferred = direction_of_transfer(judgement)
    reported = on.result if on is not None else published.NONE
    if transferred == reported == published.FOR:
        return Belief(word=LEANING_FOR, by=("transfer", "published"))
    if transferred == reported == published.AGAINST:
        return Belief(word=LEANING_AGAINST, by=("transfer", "published"))
    return Belief(word=OPEN)


def direction_of_transfer(judgement: Judgement) -> str:
    """Of all smaller workloads: for, against, mixed or none."""
    findings = {each.finding for each in judgement.transfer}
    is_for = AS_TRANSFER[verdict.SUPPORTED] in findings
    is_against = AS_TRANSFER[verdict.REFUTED] in findings
    if is_for and is_against:
        return published.MIXED
    if is_for:
        return published.FOR
    return published.AGAINST if is_against else published.NONE
