"""All that a report is made of, read from the files that the stages before it wrote."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from optbench.claims.evidence import Evidence, Fingerprint, distinct, withheld
from optbench.claims.load import CLAIMS, load_claims
from optbench.claims.schema import Baseline, Claims
from optbench.claims.words import plain
from optbench.core import records
from optbench.core.arm import Arm
from optbench.core.prose import Mention, Prose
from optbench.core.records import Outcome, Point
from optbench.core.run import WORKLOADS, Run, Settings
from optbench.core.score import Score
from optbench.cost.cost import Cost, cost_path
from optbench.cost.measured import measured_cost
from optbench.evaluation.evaluate import RESULTS
from optbench.evaluation.measurements import read_metrics, read_summaries
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary, best_first
from optbench.evaluation.time_to_target import budget_epochs
from optbench.params.load import Params, Room, load_room, rooms, scores_of_rooms
from optbench.params.plan import arm_runs, cells
from optbench.report.text import with_unit
from optbench.search.winners import Winners, read_winners

REPORTS = Path("reports")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A workload's plan, outcomes, scores and costs."""

    room: Room
    arm_runs: Sequence[Run]  # planned, an arm each
    runs: Sequence[Run]  # planned, a cell each
    outcomes: Mapping[str, Outcome]  # by cell, in the plan's order; without predictions
    cells: Sequence[Metrics]
    summaries: Sequence[Summary]
    costs: Mapping[str, Cost]  # by optimizer
    winners: Winners
    inputs: Mapping[str, str]  # sha256 by path: of cells, scores, costs and claims
    claims: Claims

    @property
    def name(self) -> str:
        """The workload's."""
        return self.room.name

    @property
    def score(self) -> Score:
        """What is measured."""
        return self.room.score

    @property
    def target(self) -> str:
        """The target of the held-out score, as people read it."""
        return with_unit(plain(self.room.target, self.score), self.score.unit)

    @property
    def settings(self) -> Settings:
        """What all cells share, as their results have it; as planned where there are none."""
        return next((o.run.settings for o in self.outcomes.values()), self.room.settings)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms of the suite."""
        return self.room.suite.every_arm

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Those of the arms."""
        return tuple(dict.fromkeys(arm.optimizer for arm in self.arms))

    @property
    def schedules(self) -> tuple[str, ...]:
        """Those of the arms."""
        return tuple(dict.fromkeys(arm.schedule for arm in self.arms))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of the suite."""
        return self.room.suite.seeds

    @property
    def steps_per_epoch(self) -> int:
        """Of the cells, or of the steps that were timed."""
        sources: list[Outcome | Cost] = [*self.outcomes.values(), *self.costs.values()]
        return sources[0].steps_per_epoch

    @property
    def budget_epochs(self) -> float:
        """How long a cell trains, in passes over the training set."""
        return budget_epochs(self.settings.budget, self.steps_per_epoch)

    @property
    def schedule_args(self) -> Mapping[str, Mapping[str, Any]]:
        """The arguments of each schedule, as the results have them; else as they are planned."""
        args: dict[str, Mapping[str, Any]] = {}
        for run in (*(outcome.run for outcome in self.outcomes.values()), *self.arm_runs):
            args.setdefault(run.schedule, run.schedule_args)
        return args

    @property
    def fingerprints(self) -> Mapping[str, Fingerprint]:
        """Of each cell."""
        return {cell: outcome.fingerprint for cell, outcome in self.outcomes.items()}

    @property
    def environments(self) -> list[Fingerprint]:
        """The different fingerprints among the cells, in order."""
        return distinct(self.fingerprints.values())

    @property
    def health(self) -> Mapping[str, Mapping[str, Sequence[float]]]:
        """What each optimizer said of its health at the last point of its runs, by its name."""
        health: dict[str, dict[str, list[float]]] = {}
        for outcome in self.outcomes.values():
            for diagnostic in outcome.diagnostics:
                if diagnostic.step == outcome.diagnostics[-1].step:
                    values = health.setdefault(outcome.run.optimizer, {})
                    values.setdefault(diagnostic.name, []).append(diagnostic.value)
        return health

    @property
    def evidence(self) -> Evidence:
        """What claims are judged on."""
        return Evidence(
            workload=self.name,
            settings=self.settings,
            score=self.score,
            steps_per_epoch=self.steps_per_epoch,
            metrics=self.cells,
            fingerprints=self.fingerprints,
            costs=self.costs,
        )

    @property
    def baseline(self) -> Baseline | None:
        """The band of the baseline; None where no source gives one."""
        return self.claims.baselines.get(self.name)

    @property
    def claimed(self) -> bool:
        """Whether any claim is of this workload itself."""
        return any(getattr(c, "workload", None) == self.name for c in self.claims.claims)

    @cached_property
    def withheld(self) -> Prose | None:
        """Why nothing is ranked; None where the baseline is in its band, or has none."""
        if not self.cells:
            return None
        return withheld(self.cells, workload=self.name, score=self.score, baseline=self.baseline)

    def mention(self, arm: Arm) -> Mention:
        """An arm of this workload, in a sentence."""
        return Mention(self.name, arm)

    def histories(self, arm: Arm) -> list[Sequence[Point]]:
        """Of the runs of an arm that did not diverge; those of others end too early."""
        return [
            outcome.history
            for outcome in self.outcomes.values()
            if outcome.run.arm == arm and outcome.diverged_at_step is None
        ]

    def ranked(self, items: Iterable[T], key: Callable[[T], float]) -> list[T]:
        """Items with the smallest key first; in their order where nothing is ranked."""
        return list(items) if self.withheld else sorted(items, key=key)

    def ranked_summaries(self) -> list[Summary]:
        """The best mean first, where they are ranked."""
        return list(self.summaries) if self.withheld else best_first(self.summaries, self.score)


def read_claims() -> Claims:
    """The claims, with the scores of all workloads.

    Raises:
        UsageError: claims.yaml is not usable.
    """
    return load_claims(scores=scores_of_rooms())


def read_contents(room: Room, claims: Claims) -> Contents:
    """Reads a workload's files below results/, costs/ and reports/.

    Raises:
        UsageError: one of them is missing or damaged.
    """
    runs, folder = cells(room), REPORTS / room.name
    optimizers = dict.fromkeys(arm.optimizer for arm in room.suite.every_arm)
    tables = [folder / name for name in ("cells.csv", "summary.csv") if runs]
    files = [*tables, *(cost_path(room.name, name) for name in optimizers), CLAIMS]
    metrics, summaries = _scores(room, runs, folder) if runs else ([], [])
    return Contents(
        room=room,
        arm_runs=arm_runs(room),
        runs=runs,
        outcomes={run.cell: _outcome(run) for run in runs},
        cells=metrics,
        summaries=summaries,
        costs={name: measured_cost(cost_path(room.name, name)) for name in optimizers},
        winners={n: w for n, w in read_winners(room.name).items() if n in optimizers},
        inputs={str(sums_of(run)): records.digest(sums_of(run).parent) for run in runs}
        | {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        claims=claims,
    )


def read_all(params: Params, claims: Claims) -> dict[str, Contents]:
    """The contents of every workload whose suite has cells, or whose costs were measured.

    Raises:
        UsageError: a file of one is missing or damaged.
    """
    every = [load_room(name, params) for name in rooms()]
    return {room.name: read_contents(room, claims) for room in every if _is_there(room)}


def sums_of(run: Run) -> Path:
    """The file with the sha256 of each file of a cell."""
    return RESULTS / run.workload / "suite" / run.cell / records.SUMS


def _scores(room: Room, runs: Sequence[Run], folder: Path) -> tuple[list[Metrics], list[Summary]]:
    """The scores of a workload's cells, and their summaries."""
    way_out = f"`dvc repro {WORKLOADS / room.name}/dvc.yaml` makes it again"
    metrics = read_metrics(folder / "cells.csv", runs, room.score, way_out=way_out)
    path = folder / "summary.csv"
    return metrics, read_summaries(path, metrics, room.score, way_out=way_out)


def _outcome(run: Run) -> Outcome:
    """What a cell left behind, without its predictions, which are large."""
    return replace(records.read(sums_of(run).parent), predictions={})


def _is_there(room: Room) -> bool:
    """Whether a workload has cells, or all costs."""
    costs = (cost_path(room.name, arm.optimizer) for arm in room.suite.every_arm)
    return bool(room.suite.seeds) or all(path.is_file() for path in costs)
