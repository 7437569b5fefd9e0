"""Advice held against sweeps of smaller workloads: transfer evidence, and never a verdict."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optbench.claims.evidence import Evidence
from optbench.claims.judgement import AS_TRANSFER, Contrasted, Transfer
from optbench.claims.load import ClaimsError
from optbench.claims.schema import AdviceClaim, Claims, Contrast, SweepReading
from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.evaluation import sweeps, verdict
from optbench.evaluation.sweeps import Paired, Swept
from optbench.params.check import Checker
from optbench.params.schema import Sweep


def sweep_transfers(evidence: Mapping[str, Evidence], claim: AdviceClaim) -> list[Transfer]:
    """What the sweeps of each workload say of a piece of advice, workload by workload."""
    by_workload: dict[str, list[Contrasted]] = {}
    for reading in claim.sweeps:
        if reading.workload in evidence:
            read = _read(evidence[reading.workload], reading, claim)
            by_workload.setdefault(reading.workload, []).extend(read)
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
    for claim in claims.claims:
        for reading in claim.sweeps if isinstance(claim, AdviceClaim) else ():
            path = f"claims.{claim.id}.sweeps"
            if reading.workload != workload or not checker.choice(
                "sweep", reading.sweep, path, sweeps
            ):
                continue
            sweep, contrast = sweeps[reading.sweep], reading.contrast
            for arm in (contrast.first, contrast.second) if contrast else ():
                checker.choice("arm", arm, f"{path}.contrast", sweep.arms)
            for value in reading.at if contrast else (reading.value,):
                checker.choice("value", value, path, sweep.values)
    if checker.problems:
        raise ClaimsError(checker.problems, file=claims.file)


def _overall(findings: list[str]) -> str:
    """Of a workload: not run where a sweep is missing."""
    return verdict.NOT_RUN if verdict.NOT_RUN in findings else verdict.judge_all(findings)


def _read(evidence: Evidence, reading: SweepReading, claim: AdviceClaim) -> list[Contrasted]:
    """A finding for each arm of a sweep, or one on two of its arms."""
    swept = evidence.sweeps.get(reading.sweep)
    if swept is None:
        name = Prose.of(f"the sweep {reading.sweep}")
        return [Contrasted(name=name, finding=verdict.NOT_RUN)]
    if reading.contrast is not None:
        return [_ahead(evidence, swept, reading, reading.contrast, of=contrasts_of(claim))]
    return [_price(evidence, swept, arm, reading.value, claim.margin) for arm in swept.sweep.arms]


def contrasts_of(claim: AdviceClaim) -> int:
    """How many contrasts of arms a claim has sweeps read for: what is corrected together."""
    return len([reading for reading in claim.sweeps if reading.contrast is not None])


def _price(evidence: Evidence, swept: Swept, arm: str, advised: Any, margin: float) -> Contrasted:
    """The advised value of an arm beside the best by validation."""
    measured = sweeps.price(swept, arm, advised, evidence.score)
    best = sweeps.bests(swept, evidence.score)[arm]
    name = Prose.of(
        Mention(evidence.workload, Arm.of(arm)),
        f" with {swept.sweep.argument} {shown(advised)} beside the best of "
        f"{len(swept.sweep.values)} values by validation ({shown(best)})",
    )
    return _contrasted(name, measured, sweeps.judge_price(measured, margin=margin))


def _ahead(
    evidence: Evidence, swept: Swept, reading: SweepReading, contrast: Contrast, *, of: int
) -> Contrasted:
    """Two arms, over some of the values; p is Bonferroni's, over so many contrasts."""
    measured = sweeps.ahead(swept, contrast.first, contrast.second, reading.at, evidence.score)
    arms = [Mention(evidence.workload, arm) for arm in contrast.arms]
    where = ", ".join(map(shown, reading.at))
    name = Prose.of(Prose.join(" over ", arms), f" at {swept.sweep.argument} {where}")
    finding = sweeps.judge_ahead(measured, of=of)
    return _contrasted(name, measured, finding)


def _contrasted(name: Prose, measured: Paired, finding: str) -> Contrasted:
    """A paired difference as the ledger has it."""
    return Contrasted(
        name=name,
        finding=finding,
        estimate=measured.mean,
        low=measured.low,
        high=measured.high,
        n=(measured.n,),
        p=measured.p,
    )


def shown(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, list | tuple):
        return f"({', '.join(map(shown, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)
