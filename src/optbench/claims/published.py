"""What published figures say of a claim: for, against, mixed or none; never a verdict.

The unit is a contrast inside one source, of two figures that differ in what the claim is about
alone; of a claimed value it is one figure. Directions are counted, and nothing is pooled. The rules
are in docs/statistics.md.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from optbench.claims.publications import BY_TEST, Figure, Publications, Source, is_of_value
from optbench.claims.schema import (
    EPOCHS,
    AdviceClaim,
    Claim,
    Claims,
    Contrast,
    OrderingClaim,
    RatioClaim,
    ValueClaim,
)
from optbench.core.score import Score
from optbench.evaluation.verdict import LEVEL, quantile, welch

FOR, AGAINST, MIXED, NONE, UNDECIDED = "for", "against", "mixed", "none", "undecided"
FOR_IN_PART = "for in part"  # and nothing is known of the rest
UNSTATED = "unstated"
# All of a figure but what is measured, and what is merely said of it.
SETTING = {field.name for field in fields(Figure)} - {
    "claims", "name", "mean", "sd", "seeds", "reading", "follows",
}  # fmt: skip
# What splits findings into strata, in the order in which it is looked at.
STRATA: Mapping[str, Callable[[Figure], str]] = {
    "schedule": lambda figure: figure.schedule or UNSTATED,
    "epoch reported": lambda figure: figure.epoch,
    "tuning": lambda f: f.tuned if f.tuned in ("untuned", UNSTATED) else "tuned",
    "form of decay": lambda figure: (figure.decay and figure.decay.form) or UNSTATED,
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A contrast inside one source; or a figure beside a claimed value."""

    source: Source
    figures: Sequence[Figure]  # first and second; or one
    difference: float  # the first's advantage; or the figure less the claimed value
    direction: str
    low: float | None = None  # 95 %, Welch's; None: a side has one run, or unstated ones
    high: float | None = None

    @property
    def by_test(self) -> bool:
        """Whether its source chose hyper-parameters, or the epoch, by test."""
        return any(figure.tuned == BY_TEST or figure.epoch == "best" for figure in self.figures)

    def stratum(self, name: str) -> str:
        """Where it belongs in one of `STRATA`; what both figures share is said once."""
        return " over ".join(dict.fromkeys(map(STRATA[name], self.figures)))


@dataclass(frozen=True, kw_only=True)
class Link:
    """One thing that a claim says, with what was found of it."""

    name: str  # for example "adamw over radam"
    quantity: str  # that its figures are of
    result: str  # all for, all against, or neither
    contrast: Contrast | None  # None: it sets no two arms against each other
    findings: Sequence[Finding]

    @property
    def separated(self) -> Mapping[str, Mapping[str, Sequence[Finding]]]:
        """What separates for from against: of each such name of `STRATA`, findings by stratum.

        Undecided ones, and those that do not state it, are left out.
        """
        separated = {}
        for name in STRATA:
            strata: dict[str, list[Finding]] = {}
            for finding in self.findings:
                stratum = finding.stratum(name)
                if finding.direction != UNDECIDED and UNSTATED not in stratum:
                    strata.setdefault(stratum, []).append(finding)
            if {combined(findings) for findings in strata.values()} == {FOR, AGAINST}:
                separated[name] = strata
        return separated


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was published on a claim: no verdict on it."""

    result: str  # as a ledger's ordering: against where one link is, for where the whole claim is
    links: Sequence[Link]  # those with figures


def combined(findings: Sequence[Finding]) -> str:
    """The direction of the findings that are decided, where they agree."""
    decided = {finding.direction for finding in findings} - {UNDECIDED}
    return decided.pop() if len(decided) == 1 else MIXED


def published_on(claims: Claims, publications: Publications) -> dict[str, Published]:
    """What was published on each claim, by its id."""
    on = {}
    for claim in claims.claims:
        figures = [figure for figure in publications.figures if claim.id in figure.claims]
        found = _found(claim, figures, claims, publications.sources)
        links = [link for statement, findings in found for link in _links(statement, findings)]
        result = _overall(links)
        is_whole = all(own.is_shown(findings) for own, findings in found if own.schedules)
        if result == FOR and not is_whole:
            result = FOR_IN_PART
        on[claim.id] = Published(result=result, links=links)
    return on


@dataclass(frozen=True)
class _Statement:
    """What a claim sets against what: two values of a figure's field, and what else may differ."""

    name: str
    field: str = ""  # of a claimed value, which is set against none: none
    values: tuple[object, ...] = ()
    free: frozenset[str] = frozenset()
    contrast: Contrast | None = None
    schedules: frozenset[str] = frozenset()  # under which the claim names it; none: it follows

    def sets(self, first: Figure, second: Figure) -> bool:
        """Whether two figures are this contrast, of one source and one setting."""
        fixed = SETTING - {self.field, *self.free}
        if first.quantity == EPOCHS:  # each gets to the target in its own way
            fixed -= {"schedule", "epochs"}
        alike = all(getattr(first, name) == getattr(second, name) for name in fixed)
        return alike and (getattr(first, self.field), getattr(second, self.field)) == self.values

    def is_shown(self, findings: Sequence[Finding]) -> bool:
        """Whether there are figures of it; where it is named under several schedules, of each."""
        shown = {figure.schedule for finding in findings for figure in finding.figures}
        return bool(shown) and (len(self.schedules) == 1 or self.schedules <= shown)


def _found(
    claim: Claim, figures: Sequence[Figure], claims: Claims, sources: Mapping[str, Source]
) -> list[tuple[_Statement, list[Finding]]]:
    """What a claim says, statement by statement, with what figures say of each."""
    if isinstance(claim, ValueClaim | RatioClaim):
        beside = [_beside(claim, figure, sources[figure.source]) for figure in figures]
        return [(_Statement("the claimed value"), beside)]
    if not isinstance(claim, OrderingClaim | AdviceClaim):
        return []
    score, found = claims.scores[claim.workload], []
    for statement in _statements(claim):
        findings = [
            _contrast(first, second, sources[first.source], score)
            for first in figures
            for second in figures
            if statement.sets(first, second)
        ]
        found.append((statement, findings))
    return found


def _links(statement: _Statement, findings: Sequence[Finding]) -> list[Link]:
    """A link for each quantity that findings are of."""
    by_quantity: dict[str, list[Finding]] = {}
    for finding in findings:
        by_quantity.setdefault(finding.figures[0].quantity, []).append(finding)
    return [
        Link(
            name=statement.name,
            quantity=quantity,
            result=combined(of),
            contrast=statement.contrast,
            findings=of,
        )
        for quantity, of in by_quantity.items()
    ]


def _overall(links: Sequence[Link]) -> str:
    """What links come to: against where one thing that the claim says is, in every quantity."""
    by_name: dict[str, set[str]] = {}
    for link in links:
        by_name.setdefault(link.name, set()).add(link.result)
    results = {found.pop() if len(found) == 1 else MIXED for found in by_name.values()}
    if not results:
        return NONE
    if AGAINST in results:
        return AGAINST
    return results.pop() if len(results) == 1 else MIXED


def _statements(claim: OrderingClaim | AdviceClaim) -> list[_Statement]:
    """Those of a claim, each once; two optimizers are compared under any schedule."""
    if is_of_value(claim):
        free, name = frozenset({"decay", "tuned"}), "the advised value over another"
        return [_Statement(name, "follows", (True, False), free)]
    statements: dict[str, _Statement] = {}
    for contrast in implied(claim.contrasts):
        statement = _statement(contrast)
        schedules = statements.get(statement.name, statement).schedules
        if contrast in claim.contrasts:
            schedules |= {contrast.arms[0].schedule}
        statements[statement.name] = replace(statement, schedules=schedules)
    return [*statements.values()]


def _statement(contrast: Contrast) -> _Statement:
    """Of two optimizers, each with its own decay; or of two schedules of one."""
    first, second = contrast.arms
    field, free = ("schedule", frozenset[str]())
    if first.optimizer != second.optimizer:
        field, free = "optimizer", frozenset({"decay"})
    values = getattr(first, field), getattr(second, field)
    return _Statement(" over ".join(values), field, values, free, contrast)


def implied(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Contrasts with what follows: where A beats B and B beats C, A beats C."""
    every = [*contrasts]
    for above in every:  # which grows
        for below in contrasts:
            chained = Contrast(first=above.first, second=below.second)
            if above.second == below.first and chained not in every:
                every.append(chained)
    return every


def _beside(claim: ValueClaim | RatioClaim, figure: Figure, source: Source) -> Finding:
    """A figure for a claimed value within the claim's margin, else against it."""
    difference = figure.mean - claim.claimed
    is_near = abs(difference) <= claim.margin or math.isclose(abs(difference), claim.margin)
    direction = FOR if is_near else AGAINST
    return Finding(source=source, figures=[figure], difference=difference, direction=direction)


def _contrast(first: Figure, second: Figure, source: Source, score: Score) -> Finding:
    """The first's advantage, tested where both sides have several stated runs and a spread."""
    difference, half = score.gain(first.mean - second.mean), _half_interval(first, second)
    if first.quantity == EPOCHS:
        difference = second.mean - first.mean
    direction = FOR if difference > 0 else AGAINST
    return Finding(
        source=source,
        figures=[first, second],
        difference=difference,
        direction=UNDECIDED if abs(difference) <= (half or 0.0) else direction,
        low=None if half is None else difference - half,
        high=None if half is None else difference + half,
    )


def _half_interval(first: Figure, second: Figure) -> float | None:
    """Half of the 95 % interval of a difference of means; None: it has no test."""
    means = [(f.sd**2 / f.seeds, f.seeds - 1) for f in (first, second) if f.sd and f.seeds]
    spread = welch(*means) if len(means) == 2 else None
    return None if spread is None else spread[0] * quantile(1 - LEVEL / 2, spread[1])
