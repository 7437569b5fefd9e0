"""All that a report is made of, read from the files that the stages before it wrote."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from optbench.claims.evidence import Evidence, Fingerprint, distinct, withheld
from optbench.claims.questions import Question, questions
from optbench.claims.schema import CLAIMS, Baseline, Claims, load_claims
from optbench.core import records, rows
from optbench.core.records import Epoch, Outcome
from optbench.core.run import Run, Workload
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary
from optbench.params.load import Params
from optbench.params.schema import Evaluation, Grid
from optbench.search.trials import SEARCHES, Trial
from optbench.search.winners import Winners, read_winners

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A workload's plan, scores, histories and costs."""

    workload: str
    settings: Workload
    suite: Grid
    evaluation: Evaluation
    winners: Winners
    schedule_args: Mapping[str, Mapping[str, Any]]
    runs: Sequence[Run]
    cells: Sequence[Metrics]
    summaries: Sequence[Summary]
    histories: Mapping[
        tuple[str, str], Sequence[Sequence[Epoch]]
    ]  # optimizer, schedule: a seed each
    health: Mapping[str, Mapping[str, Sequence[float]]]  # by optimizer and name: a run each
    costs: Mapping[str, Mapping[str, Any]]  # by optimizer
    fingerprints: Mapping[tuple[str, str, int], Fingerprint]  # of each cell
    inputs: Mapping[str, str]  # sha256 by path: of cells, scores, costs and claims
    claims: Claims

    @property
    def environments(self) -> list[Fingerprint]:
        """The different fingerprints among the cells, in order."""
        return distinct(self.fingerprints.values())

    @property
    def evidence(self) -> Evidence:
        """What claims are judged on."""
        return Evidence(
            workload=self.workload,
            settings=self.settings,
            metrics=self.cells,
            fingerprints=self.fingerprints,
            costs=self.costs,
        )

    @property
    def baseline(self) -> Baseline | None:
        """The band of the baseline; None where no source gives one."""
        return self.claims.baselines.get(self.workload)

    @property
    def questions(self) -> list[Question]:
        """The contrasts that claims name on this workload, run or not, each once."""
        asked = dict.fromkeys(q for claim in self.claims.claims for q in questions(claim))
        return [question for question in asked if question.workload == self.workload]

    @property
    def claimed(self) -> bool:
        """Whether any claim is of this workload itself."""
        return any(getattr(c, "workload", None) == self.workload for c in self.claims.claims)

    @property
    def withheld(self) -> str | None:
        """Why nothing is ranked; None where the baseline is in its band, or has none."""
        return withheld(self.cells, self.baseline) if self.cells else None

    def ranked(self, items: Iterable[T], key: Callable[[T], float]) -> list[T]:
        """Items with the smallest key first; in their own order where nothing is ranked."""
        return list(items) if self.withheld else sorted(items, key=key)


def read_contents(params: Params, workload: str) -> Contents:
    """Reads a workload's files below results/, costs/ and reports/."""
    runs, suite_folder = params.cells(workload), Path("results") / workload / "suite"
    outcomes = {
        (run.optimizer, run.schedule, run.seed): records.read(suite_folder / run.cell)
        for run in runs
    }
    histories: dict[tuple[str, str], list[Sequence[Epoch]]] = {}
    for (optimizer, schedule, _), outcome in outcomes.items():
        histories.setdefault((optimizer, schedule), []).append(outcome.history)
    suite, folder = params.suites[workload], Path("reports") / workload
    return Contents(
        workload=workload,
        settings=params.workloads[workload],
        suite=suite,
        evaluation=params.evaluations[workload],
        winners={n: w for n, w in read_winners()[workload].items() if n in suite.optimizers},
        schedule_args={name: params.raw["schedules"][name] for name in suite.schedules},
        runs=runs,
        cells=rows.from_csv(Metrics, folder / "cells.csv") if runs else [],
        summaries=rows.from_csv(Summary, folder / "summary.csv") if runs else [],
        histories=histories,
        health=_health(outcomes),
        costs={
            name: _read_json(Path("costs") / workload / f"{name}.json") for name in suite.optimizers
        },
        fingerprints={cell: outcome.fingerprint for cell, outcome in outcomes.items()},
        inputs={str(sums_of(run)): records.digest(sums_of(run).parent) for run in runs}
        | {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (
                *(folder / name for name in ("cells.csv", "summary.csv") if runs),
                *(Path("costs") / workload / f"{name}.json" for name in suite.optimizers),
                CLAIMS,
            )
        },
        claims=load_claims(workloads=params.workloads),
    )


def sums_of(run: Run) -> Path:
    """The file with the sha256 of each file of a cell."""
    return Path("results") / run.workload / "suite" / run.cell / records.SUMS


def read_all(params: Params) -> dict[str, Contents]:
    """The contents of every workload whose suite has cells, or whose costs were measured."""
    return {
        name: read_contents(params, name)
        for name, suite in params.suites.items()
        if params.cells(name) or (Path("costs") / name / f"{suite.optimizers[0]}.json").is_file()
    }


def read_trials(workload: str) -> list[Trial]:
    """The trials of a workload's search; none where it was not searched."""
    path = SEARCHES / workload / "trials.csv"
    return rows.from_csv(Trial, path) if path.is_file() else []


def _health(
    outcomes: Mapping[tuple[str, str, int], Outcome],
) -> dict[str, dict[str, list[float]]]:
    """What each optimizer said of its health at the last epoch of its runs."""
    health: dict[str, dict[str, list[float]]] = {}
    for (optimizer, _, _), outcome in outcomes.items():
        for diagnostic in outcome.diagnostics:
            if diagnostic.epoch == outcome.diagnostics[-1].epoch:
                values = health.setdefault(optimizer, {}).setdefault(diagnostic.name, [])
                values.append(diagnostic.value)
    return health


def _read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object."""
    values: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values
