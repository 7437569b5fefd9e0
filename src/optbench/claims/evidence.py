"""What was run on one workload, and what of it a claim may use."""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optbench.claims.schema import EPOCHS, Baseline
from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.core.run import Settings
from optbench.core.score import Score
from optbench.cost.cost import Cost
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.sweeps import Swept
from optbench.evaluation.text import plain, with_unit
from optbench.evaluation.time_to_target import budget_epochs, epochs_to_target
from optbench.evaluation.verdict import FEWEST_STUDIES, Spread, pooled_spread

Fingerprint = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The studies of a workload, their environments, and what steps cost."""

    workload: str
    settings: Settings
    score: Score
    steps_per_epoch: int
    metrics: Sequence[Metrics]
    fingerprints: Mapping[tuple[Arm, int | None], Fingerprint]  # by arm and number
    costs: Mapping[str, Cost]  # by optimizer
    sweeps: Mapping[str, Swept] = field(default_factory=dict)  # those that were carried out

    @property
    def budget(self) -> float:
        """How long a run trains, in epochs."""
        return budget_epochs(self.settings.budget, self.steps_per_epoch)

    def studies(self, arm: Arm, numbers: Collection[int] | None = None) -> list[Metrics]:
        """The studies of an arm, of certain numbers or all."""
        return [
            study
            for study in self.metrics
            if study.arm == arm and (numbers is None or study.study in numbers)
        ]

    def lacks(self, arm: Arm, numbers: Collection[int] | None = None) -> bool:
        """Whether an arm lacks one of these studies; or without numbers, five to be ordered by."""
        there = {study.study for study in self.studies(arm)}
        return len(there) < FEWEST_STUDIES if numbers is None else not there >= {*numbers}

    def environment(self, study: Metrics) -> Fingerprint:
        """The fingerprint of a study."""
        return self.fingerprints[study.arm, study.study]

    def scores(self, arm: Arm, numbers: Collection[int] | None = None) -> list[float]:
        """The score of each study; one that diverged has none and is left out."""
        studies = self.studies(arm, numbers)
        return [study.test_score for study in studies if study.test_score is not None]

    def gains(self, arm: Arm, quantity: str) -> list[float]:
        """A value for each study of which more is better: epochs to the target are negative.

        A study that diverged has no score and is left out; one that misses the target counts as the
        whole budget.
        """
        if quantity == EPOCHS:
            epochs = epochs_to_target(self.studies(arm), arm, budget=self.budget)
            return [-time for time in epochs]
        return [self.score.gain(value) for value in self.scores(arm)]

    def chosen(self, tuning: str) -> list[Metrics]:
        """The studies whose values were chosen in this way, see `core.arm`."""
        return [study for study in self.metrics if study.tuning == tuning]

    def spread(self, tuning: str) -> Spread | None:
        """The sd of the score over studies, within each arm and environment, pooled over arms.

        Of one `tuning` alone: studies that search vary more than runs of a fixed point.
        """
        return spread_within(
            (run.arm, self.environment(run), run.test_score) for run in self.chosen(tuning)
        )


def spread_within(runs: Iterable[tuple[Arm, Fingerprint, float | None]]) -> Spread | None:
    """The sd of scores within each arm and environment, pooled; a run that diverged has none."""
    groups: dict[object, list[float]] = {}
    for arm, fingerprint, score in runs:
        if score is not None:
            groups.setdefault((arm, tuple(sorted(fingerprint.items()))), []).append(score)
    return pooled_spread(groups.values())


def notes(evidence: Evidence, studies: Sequence[Metrics]) -> list[Prose]:
    """What must be known of the studies behind a judgement."""
    remarks = []
    if diverged := [study for study in studies if study.diverged_at_step is not None]:
        names = [
            Prose.of(Mention(evidence.workload, study.arm), f" / study {study.study}")
            for study in diverged
        ]
        head = f"Diverged, so that no {evidence.score.name} is known: "
        remarks.append(Prose.of(head, Prose.join(", ", names), "."))
    return remarks + pooled_environments(evidence, studies, what="This")


def pooled_environments(
    evidence: Evidence, studies: Sequence[Metrics], *, what: str | Mention
) -> list[Prose]:
    """A sentence where studies of several environments are taken together; `what` pools them."""
    fingerprints = [evidence.environment(study) for study in studies]
    different = distinct(fingerprints)
    if len(different) < 2:
        return []
    keys = sorted({key for fingerprint in different for key in fingerprint})
    differing = [key for key in keys if len({str(f.get(key)) for f in different}) > 1]
    parts = [
        f"{fingerprints.count(fingerprint)} with "
        + ", ".join(f"{key} {fingerprint.get(key)}" for key in differing)
        for fingerprint in different
    ]
    return [Prose.of(what, f" pools studies of {len(different)} environments: {'; '.join(parts)}.")]


def distinct(fingerprints: Iterable[Fingerprint]) -> list[Fingerprint]:
    """The different environments among those of studies, in their order."""
    kept: list[Fingerprint] = []
    for fingerprint in fingerprints:
        if fingerprint not in kept:
            kept.append(fingerprint)
    return kept


def withheld(
    metrics: Iterable[Metrics], *, workload: str, score: Score, baseline: Baseline | None
) -> Prose | None:
    """Why nothing is ranked on a workload; None where its baseline is in its band, or has none."""
    if baseline is None:
        return None
    arm = Arm.of(baseline.arm)
    head = Prose.of("the baseline ", Mention(workload, arm))
    low, high = plain(baseline.low, score), plain(baseline.high, score)
    band = with_unit(f"its sourced band of {low} to {high}", score.unit)
    scores = [run.test_score for run in metrics if run.arm == arm and run.test_score is not None]
    if not scores:
        return Prose.of(head, f" has no {score.name} to hold against {band}")
    mean = statistics.fmean(scores)
    if baseline.low <= mean <= baseline.high:
        return None
    return Prose.of(head, f" has a mean of {score.with_unit(mean)} and misses {band}")
