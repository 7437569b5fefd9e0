"""Advice held against sweeps of smaller workloads: transfer evidence, and never a verdict."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optbench.claims import words
from optbench.claims.evidence import Evidence
from optbench.claims.judgement import AS_TRANSFER, Contrasted, Transfer
from optbench.claims.load import ClaimsError
from optbench.claims.schema import SCORE, AdviceClaim, Claims, Contrast, SweepReading
from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.core.sweep import text_of
from optbench.evaluation import sweeps, verdict
from optbench.evaluation.sweeps import Paired, Swept
from optbench.evaluation.verdict import FEWEST_STUDIES
from optbench.params.check import Checker
from optbench.params.schema import Sweep


def sweep_transfers(evidence: Mapping[str, Evidence], claim: AdviceClaim) -> list[Transfer]:
    """What the sweeps of each workload say of a piece of advice, workload by workload.

    The p values of all its contrasts of arms are corrected together (Holm).
    """
    read = [
        (reading.workload, contrasted)
        for reading in claim.sweeps
        if reading.workload in evidence
        for contrasted in _read(evidence[reading.workload], reading, claim)
    ]
    corrected = iter(verdict.holm([c.p for _, c in read if c.p is not None]))
    by_workload: dict[str, list[Contrasted]] = {}
    for workload, contrasted in read:
        if contrasted.p is not None:
            p = next(corrected)
            finding = verdict.judge_ordering(contrasted.estimate or 0.0, p=p)
            contrasted = replace(contrasted, p_corrected=p, finding=finding)
        by_workload.setdefault(workload, []).append(contrasted)
    return [
        Transfer(
            workload=workload,
            finding=AS_TRANSFER[_overall([contrast.finding for contrast in contrasts])],
            contrasts=[replace(c, finding=AS_TRANSFER[c.finding]) for c in contrasts],
            notes=(),
        )
        for workload, contrasts in by_workload.items()
    ]


def require_sweeps(claims: Claims, workload: str, sweeps: Mapping[str, Sweep]) -> None:
    """Refuses advice that a workload's sweeps cannot speak to.

    Raises:
        ClaimsError: names each sweep, arm and value that is not there.
    """
    checker = Checker()
    for claim, reading in claims.readings(workload):
        path = f"claims.{claim.id}.sweeps"
        if not checker.choice("sweep", reading.sweep, path, sweeps):
            continue
        sweep, contrast = sweeps[reading.sweep], reading.contrast
        for arm in (contrast.first, contrast.second) if contrast else ():
            checker.choice("arm", arm, f"{path}.contrast", sweep.arms)
        for value in reading.values:
            checker.choice("value", text_of(value), path, [*map(text_of, sweep.values)])
    if checker.problems:
        raise ClaimsError(checker.problems, file=claims.file)


def _overall(findings: list[str]) -> str:
    """Of a workload: not run where a sweep is missing."""
    return verdict.NOT_RUN if verdict.NOT_RUN in findings else verdict.judge_all(findings)


def _read(evidence: Evidence, reading: SweepReading, claim: AdviceClaim) -> list[Contrasted]:
    """A finding for each arm of a sweep; or on two of its arms a p value, to be corrected."""
    swept = evidence.sweeps.get(reading.sweep)
    if swept is None or swept.sweep.studies < FEWEST_STUDIES:
        few = "" if swept is None else f", of fewer than {FEWEST_STUDIES} studies"
        name = Prose.of(f"the sweep {reading.sweep}{few}")
        return [Contrasted(name=name, finding=verdict.NOT_RUN)]
    if reading.contrast is not None:
        return [_ahead(evidence, swept, reading, reading.contrast)]
    return [_price(evidence, swept, arm, reading.value, claim.margin) for arm in swept.sweep.arms]


def _price(evidence: Evidence, swept: Swept, arm: str, advised: Any, margin: float) -> Contrasted:
    """The advised value of an arm beside the others."""
    score, sweep = evidence.score, swept.sweep
    price = sweeps.price(swept, arm, advised, score, margin=margin)
    unit = words.advantage_unit(SCORE, score)
    name = Prose.of(
        Mention(evidence.workload, Arm.of(arm)),
        f" with {sweep.argument} {shown(advised)} over {shown(price.best)}, the best other of "
        f"{len(sweep.values)} by validation (behind none by more than "
        f"{unit.number(max(0.0, -price.floor)).lstrip('+')}, margin "
        f"{unit.number(margin).lstrip('+')}; means span {unit.number(price.span).lstrip('+')}"
        f"{', and the best of all is an end of the range' if price.is_end else ''})",
    )
    return _contrasted(name, price.measured, price.finding)


def _ahead(
    evidence: Evidence, swept: Swept, reading: SweepReading, contrast: Contrast
) -> Contrasted:
    """Two arms, over some of the values."""
    measured = sweeps.ahead(swept, contrast.first, contrast.second, reading.at, evidence.score)
    arms = [Mention(evidence.workload, arm) for arm in contrast.arms]
    where = ", ".join(map(shown, reading.at))
    name = Prose.of(Prose.join(" over ", arms), f" at {swept.sweep.argument} {where}")
    return replace(_contrasted(name, measured, verdict.UNDECIDED), p=measured.p)


def _contrasted(name: Prose, measured: Paired, finding: str) -> Contrasted:
    """A paired difference as the ledger has it; none where all trials diverged."""
    if math.isnan(measured.mean):
        return Contrasted(name=name, finding=verdict.UNDECIDED)
    return Contrasted(
        name=name,
        finding=finding,
        estimate=measured.mean,
        low=measured.low,
        high=measured.high,
        n=(measured.n,),
    )


def shown(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, list | tuple):
        return f"({', '.join(map(shown, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)
