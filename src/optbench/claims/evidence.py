"""What was run on one workload, and what of it a claim may use."""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optbench.claims.schema import Arm, Baseline
from optbench.core.run import Workload
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.time_to_target import epochs_to_target
from optbench.evaluation.verdict import Spread, pooled_spread

Fingerprint = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The runs of a workload, their environments, and what steps cost."""

    workload: str
    settings: Workload
    metrics: Sequence[Metrics]
    fingerprints: Mapping[tuple[str, str, int], Fingerprint]  # by optimizer, schedule, seed
    costs: Mapping[str, Mapping[str, Any]]  # by optimizer, see `cost.measure.Cost`

    def runs(self, arm: Arm, seeds: Collection[int] | None = None) -> list[Metrics]:
        """The runs of an arm, of certain seeds or of all."""
        return [
            run
            for run in self.metrics
            if (run.optimizer, run.schedule) == arm and (seeds is None or run.seed in seeds)
        ]

    def lacks(self, arm: Arm, seeds: Collection[int]) -> bool:
        """Whether an arm was not run at all, or not with every one of these seeds."""
        return not self.runs(arm) or not {run.seed for run in self.runs(arm)} >= {*seeds}

    def environment(self, run: Metrics) -> Fingerprint:
        """The fingerprint of a run."""
        return self.fingerprints[run.optimizer, run.schedule, run.seed]

    def scores(
        self, arm: Arm, quantity: str, seeds: Collection[int] | None = None
    ) -> dict[int, float]:
        """A score for each seed, the higher the better: epochs to the target are negative.

        A run that diverged has no accuracy and is left out; one that misses the target counts as
        the whole budget.
        """
        runs, budget = self.runs(arm, seeds), self.settings.epochs
        if quantity == "epochs_to_target":
            epochs = epochs_to_target(runs, *arm, budget=budget)
            return {run.seed: -float(own) for run, own in zip(runs, epochs, strict=True)}
        return {run.seed: run.test_accuracy for run in runs if run.test_accuracy is not None}

    def spread(self) -> Spread | None:
        """The sd of accuracy over seeds, within each arm and environment, pooled over all."""
        groups: dict[object, list[float]] = {}
        for run in self.metrics:
            if run.test_accuracy is not None:
                environment = tuple(sorted(self.environment(run).items()))
                group = groups.setdefault((run.optimizer, run.schedule, environment), [])
                group.append(run.test_accuracy)
        return pooled_spread(groups.values())


def notes(evidence: Evidence, runs: Sequence[Metrics]) -> list[str]:
    """What must be known of the runs behind a judgement."""
    found = [f"Trained on the split '{evidence.settings.train_split}', not on 'full'."] * (
        evidence.settings.train_split != "full"
    )
    if diverged := [run.name for run in runs if run.diverged_at_step is not None]:
        found.append(f"Diverged, and without an accuracy: {', '.join(diverged)}.")
    return found + pooled_environments(evidence, runs, what="This")


def pooled_environments(evidence: Evidence, runs: Sequence[Metrics], *, what: str) -> list[str]:
    """A sentence where runs of several environments are taken together; `what` pools them."""
    fingerprints = [evidence.environment(run) for run in runs]
    different = distinct(fingerprints)
    if len(different) < 2:
        return []
    keys = sorted({key for fingerprint in different for key in fingerprint})
    differing = [key for key in keys if len({str(one.get(key)) for one in different}) > 1]
    parts = [
        f"{sum(other == one for other in fingerprints)} with "
        + ", ".join(f"{key} {one.get(key)}" for key in differing)
        for one in different
    ]
    return [f"{what} pools runs of {len(different)} environments: {'; '.join(parts)}."]


def distinct(fingerprints: Iterable[Fingerprint]) -> list[Fingerprint]:
    """The different environments among those of runs, in their order."""
    kept: list[Fingerprint] = []
    for fingerprint in fingerprints:
        if fingerprint not in kept:
            kept.append(fingerprint)
    return kept


def withheld(metrics: Iterable[Metrics], baseline: Baseline | None) -> str | None:
    """Why nothing is ranked on a workload; None where its baseline is in its band, or has none."""
    if baseline is None:
        return None
    arm = (baseline.optimizer, baseline.schedule)
    name = f"{baseline.optimizer} / {baseline.schedule}"
    band = f"its sourced band of {100 * baseline.low:.1f} to {100 * baseline.high:.1f} %"
    accuracies = [
        run.test_accuracy
        for run in metrics
        if (run.optimizer, run.schedule) == arm and run.test_accuracy is not None
    ]
    if not accuracies:
        return f"the baseline {name} has no accuracy to hold against {band}"
    mean = statistics.fmean(accuracies)
    if baseline.low <= mean <= baseline.high:
        return None
    return f"the baseline {name} has a mean of {100 * mean:.2f} % and misses {band}"
