"""What was run on one workload, and what of it a claim may use."""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optbench.claims.schema import EPOCHS, Baseline
from optbench.claims.words import plain
from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.core.run import Settings
from optbench.core.score import Score
from optbench.cost.cost import Cost
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.time_to_target import budget_epochs, epochs_to_target
from optbench.evaluation.verdict import Spread, pooled_spread

Fingerprint = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The runs of a workload, their environments, and what steps cost."""

    workload: str
    settings: Settings
    score: Score
    steps_per_epoch: int
    metrics: Sequence[Metrics]
    fingerprints: Mapping[str, Fingerprint]  # by cell
    costs: Mapping[str, Cost]  # by optimizer

    @property
    def budget(self) -> float:
        """How long a run trains, in epochs."""
        return budget_epochs(self.settings.budget, self.steps_per_epoch)

    def runs(self, arm: Arm, seeds: Collection[int] | None = None) -> list[Metrics]:
        """The runs of an arm, of certain seeds or of all."""
        return [
            run for run in self.metrics if run.arm == arm and (seeds is None or run.seed in seeds)
        ]

    def lacks(self, arm: Arm, seeds: Collection[int]) -> bool:
        """Whether an arm was not run at all, or not with every one of these seeds."""
        return not self.runs(arm) or not {run.seed for run in self.runs(arm)} >= {*seeds}

    def environment(self, run: Metrics) -> Fingerprint:
        """The fingerprint of a run."""
        return self.fingerprints[run.cell]

    def scores(self, arm: Arm, seeds: Collection[int] | None = None) -> dict[int, float]:
        """The score of each seed; a run that diverged has none and is left out."""
        runs = self.runs(arm, seeds)
        return {run.seed: run.test_score for run in runs if run.test_score is not None}

    def gains(
        self, arm: Arm, quantity: str, seeds: Collection[int] | None = None
    ) -> dict[int, float]:
        """A value for each seed of which more is better: epochs to the target are negative.

        A run that diverged has no score and is left out; a run that misses the target counts as
        the whole budget.
        """
        if quantity == EPOCHS:
            runs = self.runs(arm, seeds)
            epochs = epochs_to_target(runs, arm, budget=self.budget)
            return {run.seed: -time for run, time in zip(runs, epochs, strict=True)}
        return {seed: self.score.gain(x) for seed, x in self.scores(arm, seeds).items()}

    def spread(self) -> Spread | None:
        """The sd of the score over seeds, within each arm and environment, pooled over all."""
        groups: dict[object, list[float]] = {}
        for run in self.metrics:
            if run.test_score is not None:
                environment = tuple(sorted(self.environment(run).items()))
                groups.setdefault((run.arm, environment), []).append(run.test_score)
        return pooled_spread(groups.values())


def notes(evidence: Evidence, runs: Sequence[Metrics]) -> list[Prose]:
    """What must be known of the runs behind a judgement."""
    remarks = []
    if evidence.settings.train_split != "full":
        split = evidence.settings.train_split
        remarks.append(Prose.of(f"Trained on the split '{split}', not on 'full'."))
    if diverged := [run for run in runs if run.diverged_at_step is not None]:
        names = [
            Prose.of(Mention(evidence.workload, run.arm), f" / seed {run.seed}") for run in diverged
        ]
        head = f"Diverged, so that no {evidence.score.name} is known: "
        remarks.append(Prose.of(head, Prose.join(", ", names), "."))
    return remarks + pooled_environments(evidence, runs, what="This")


def pooled_environments(
    evidence: Evidence, runs: Sequence[Metrics], *, what: str | Mention
) -> list[Prose]:
    """A sentence where runs of several environments are taken together; `what` pools them."""
    fingerprints = [evidence.environment(run) for run in runs]
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
    return [Prose.of(what, f" pools runs of {len(different)} environments: {'; '.join(parts)}.")]


def distinct(fingerprints: Iterable[Fingerprint]) -> list[Fingerprint]:
    """The different environments among those of runs, in their order."""
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
    band = f"its sourced band of {low} to {high} {score.unit}".rstrip()
    scores = [run.test_score for run in metrics if run.arm == arm and run.test_score is not None]
    if not scores:
        return Prose.of(head, f" has no {score.name} to hold against {band}")
    mean = statistics.fmean(scores)
    if baseline.low <= mean <= baseline.high:
        return None
    return Prose.of(head, f" has a mean of {score.with_unit(mean)} and misses {band}")
