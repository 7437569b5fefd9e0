"""All that a report is made of, read from the files that the stages before it wrote."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from optbench.claims.evidence import Evidence, Fingerprint, distinct, withheld
from optbench.claims.load import CLAIMS, load_claims
from optbench.claims.schema import Baseline, Claims
from optbench.claims.sweeps import require_sweeps
from optbench.core.arm import TUNED, Arm
from optbench.core.errors import UsageError
from optbench.core.prose import Mention, Prose
from optbench.core.records import Outcome, Point
from optbench.core.run import WORKLOADS, Settings
from optbench.core.score import Score
from optbench.core.study import FRESH, Study
from optbench.cost.cost import Cost, cost_path
from optbench.cost.measured import measured_cost
from optbench.evaluation.control import Control, control_of
from optbench.evaluation.evaluate import RESULTS, Result, read_result, read_results, score_result
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import Summary, best_first, summarise
from optbench.evaluation.sweeps import Swept, read_sweeps, sweep_files
from optbench.evaluation.text import plain, with_unit
from optbench.evaluation.time_to_target import budget_epochs
from optbench.evaluation.tuning import Confirmation, Tuning, confirmation, tuning_of
from optbench.params.load import Params, Room, load_room, rooms, scores_of_rooms
from optbench.params.plan import studies
from optbench.studies.table import read_trials
from optbench.studies.trials import Trial

REPORTS = Path("reports")
PAGE_OF_POST = "report"  # the folder of a page, within that of its post
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A workload's plan, studies, scores and costs."""

    room: Room
    planned: Sequence[Study]  # an arm each
    results: Sequence[Result]  # of each study of the suite, in its order; without predictions
    repeats: Mapping[Arm, Sequence[Trial]]
    fresh: Sequence[Result]
    metrics: Sequence[Metrics]  # a study each
    summaries: Sequence[Summary]
    costs: Mapping[str, Cost]  # by optimizer
    control: Control | None
    sweeps: Mapping[str, Swept]  # those that were carried out
    inputs: Mapping[str, str]  # sha256 by path: of studies, scores, costs and claims
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
        """What all studies share, as their results have it; as planned where there are none."""
        return next((r.outcome.run.settings for r in self.results), self.room.settings)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms of the suite."""
        return self.room.suite.every_arm

    @property
    def compared(self) -> tuple[Arm, ...]:
        """The arms that stand for their optimizers: those that are tuned; where none is, all."""
        return tuple(arm for arm in self.arms if arm.tuning == TUNED) or self.arms

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Those of the arms."""
        return tuple(dict.fromkeys(arm.optimizer for arm in self.arms))

    @property
    def schedules(self) -> tuple[str, ...]:
        """Those of the arms."""
        return tuple(dict.fromkeys(arm.schedule for arm in self.arms))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Those of the suite's studies, of each arm."""
        return self.room.suite.numbers

    @property
    def steps_per_epoch(self) -> int:
        """Of the studies, or of the steps that were timed."""
        sources: list[Outcome | Cost] = [r.outcome for r in self.results] + [*self.costs.values()]
        return sources[0].steps_per_epoch

    @property
    def budget_epochs(self) -> float:
        """How long a run trains, in passes over the training set."""
        return budget_epochs(self.settings.budget, self.steps_per_epoch)

    @property
    def epoch_digits(self) -> int:
        """Decimals of an epoch that tell each point of a study's history from the next."""
        points = len(self.results[0].outcome.history)
        return max(1, math.ceil(-math.log10(self.budget_epochs / points)))

    @property
    def schedule_args(self) -> Mapping[str, Mapping[str, Any]]:
        """The arguments of each schedule, as the results have them; else as they are planned."""
        args: dict[str, Mapping[str, Any]] = {}
        runs = [result.outcome.run for result in self.results]
        for run in (*runs, *(study.run for study in self.planned)):
            args.setdefault(run.schedule, run.schedule_args)
        return args

    @property
    def fingerprints(self) -> Mapping[tuple[Arm, int | None], Fingerprint]:
        """Of each study, by its arm and number."""
        return {(result.arm, result.number): result.outcome.fingerprint for result in self.results}

    @property
    def environments(self) -> list[Fingerprint]:
        """The different fingerprints among the studies, in order."""
        return distinct(self.fingerprints.values())

    @property
    def health(self) -> Mapping[str, Mapping[str, Sequence[float]]]:
        """What each optimizer said of its health at the last point of its runs, by its name."""
        health: dict[str, dict[str, list[float]]] = {}
        for outcome in (result.outcome for result in self.results):
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
            metrics=self.metrics,
            fingerprints=self.fingerprints,
            costs=self.costs,
            sweeps=self.sweeps,
        )

    @property
    def baseline(self) -> Baseline | None:
        """The band of the baseline; None where no source gives one."""
        return self.claims.baselines.get(self.name)

    @property
    def claimed(self) -> bool:
        """Whether any claim of the post is of this workload itself."""
        return any(
            getattr(claim, "workload", None) == self.name and claim.source is None
            for claim in self.claims.claims
        )

    @cached_property
    def withheld(self) -> Prose | None:
        """Why nothing is ranked; None where the baseline is in its band, or has none."""
        if not self.metrics:
            return None
        return withheld(self.metrics, workload=self.name, score=self.score, baseline=self.baseline)

    def mention(self, arm: Arm) -> Mention:
        """An arm of this workload, in a sentence."""
        return Mention(self.name, arm)

    def histories(self, arm: Arm) -> list[Sequence[Point]]:
        """Of what the studies of an arm chose, unless it diverged, and so ends too early."""
        return [
            result.outcome.history
            for result in self.of_arm(arm)
            if result.outcome.diverged_at_step is None
        ]

    def of_arm(self, arm: Arm) -> list[Result]:
        """The studies of an arm."""
        return [result for result in self.results if result.arm == arm]

    def trials_of(self, arm: Arm) -> list[Trial]:
        """Those of all studies of an arm."""
        return [trial for result in self.of_arm(arm) for trial in result.trials]

    @cached_property
    def tunings(self) -> Mapping[Arm, Tuning]:
        """What the studies of each tuned arm tell of its tuning."""
        return {
            arm: tuning_of(
                arm, self.of_arm(arm), self.repeats.get(arm, ()), self.room.space(arm), self.score
            )
            for arm in self.arms
            if arm.tuning == TUNED and self.numbers
        }

    @property
    def confirmations(self) -> list[Confirmation]:
        """The fresh studies against what those of the suite predict."""
        confirmed = (confirmation(self.of_arm(new.arm), new, self.score) for new in self.fresh)
        return [each for each in confirmed if each is not None]

    def ranked(self, items: Iterable[T], key: Callable[[T], float]) -> list[T]:
        """Items with the smallest key first; in their order where nothing is ranked."""
        return list(items) if self.withheld else sorted(items, key=key)

    def ranked_summaries(self) -> list[Summary]:
        """The best mean first, where they are ranked."""
        return list(self.summaries) if self.withheld else best_first(self.summaries, self.score)


def read_claims(path: Path = CLAIMS) -> Claims:
    """The claims of a post, with the scores of all workloads.

    Raises:
        UsageError: the file is not usable.
    """
    return load_claims(path, scores=scores_of_rooms())


def read_contents(room: Room, claims: Claims) -> Contents:
    """Reads a workload's files below results/, costs/, reports/ and workloads/.

    Raises:
        UsageError: one of them is missing or damaged.
    """
    room = shown(room)
    require_sweeps(claims, room.name, room.sweeps)
    planned, folder = studies(room), REPORTS / room.name
    results = read_results(planned, room.suite.studies, room.score)
    by_key = {study.arm.key: study for study in planned}
    fresh = [
        read_result(by_key[key], FRESH, Path("fresh") / key, room.score) for key in room.suite.fresh
    ]
    way_out = f"`dvc repro {WORKLOADS / room.name}/dvc.yaml` makes it"
    repeats = {
        Arm.of(key): read_trials(repeats_of(room.name, key), room.score, way_out=f"{way_out} again")
        for key in room.suite.repeated
    }
    metrics = [score_result(result, target=room.target) for result in results]
    summaries = summarise(metrics, score=room.score)
    scores = [folder / name for name in ("studies.csv", "summary.csv") if results]
    costs = {name: cost_path(room.name, name) for name in room.suite.optimizers}
    for path in (*scores, *costs.values()):
        if not path.exists():
            raise UsageError(f"{path} is not there: {way_out}")
    files = [
        *(result.sums for result in (*results, *fresh)),
        *(repeats_of(room.name, arm.key) for arm in repeats),
        *scores,
        *costs.values(),
        *control_files(room),
        *sweep_files(room.name, room.sweeps),
        claims.file,
    ]
    return Contents(
        room=room,
        planned=planned,
        results=[_light(result) for result in results],
        repeats=repeats,
        fresh=[_light(result) for result in fresh],
        metrics=metrics,
        summaries=summaries,
        costs={name: measured_cost(path) for name, path in costs.items()},
        control=read_control(room),
        sweeps=read_sweeps(room.name, room.sweeps, room.score),
        inputs={str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        claims=claims,
    )


def shown(room: Room) -> Room:
    """A room; without studies where none was carried out, and then nothing repeats or confirms."""
    if room.suite.studies and any((RESULTS / room.name / "suite").glob("*/")):
        return room
    return replace(room, suite=replace(room.suite, studies=(), repeated=(), fresh=()))


def read_all(params: Params, claims: Claims) -> dict[str, Contents]:
    """The contents of every workload whose suite has studies, or whose costs were measured.

    Raises:
        UsageError: a file of one is missing or damaged.
    """
    every = [shown(load_room(name, params)) for name in rooms()]
    return {
        room.name: read_contents(room, claims)
        for room in every
        if room.suite.studies
        or all(cost_path(room.name, name).is_file() for name in room.suite.optimizers)
    }


def repeats_of(workload: str, arm: str) -> Path:
    """The table of the runs that repeat a winner."""
    return RESULTS / workload / "repeats" / f"{arm}.csv"


def control_files(room: Room) -> list[Path]:
    """The tables of a room's control, where it was carried out."""
    files = [WORKLOADS / room.name / "control" / name for name in ("trials.csv", "repeats.csv")]
    return files if room.control and all(path.is_file() for path in files) else []


def read_control(room: Room) -> Control | None:
    """What a room's control shows; None where it has none, or none was carried out.

    Raises:
        UsageError: a table is damaged.
    """
    way_out = f"`dvc repro {WORKLOADS / room.name}/control/dvc.yaml` makes it again"
    tables = [read_trials(path, room.score, way_out=way_out) for path in control_files(room)]
    if not tables:
        return None
    trials, repeats = tables
    return control_of(trials, repeats, room.score)


def _light(result: Result) -> Result:
    """A result without the predictions of its outcome, which are large."""
    return replace(result, outcome=replace(result.outcome, predictions={}))
