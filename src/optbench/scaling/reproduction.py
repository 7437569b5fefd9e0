"""Brings the pipeline up to date with several jobs at once."""

import signal
import threading
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from statistics import fmean
from types import FrameType

from dvc.stage.exceptions import StageCmdFailedError
from rich.console import Console

from optbench.core.duration import duration
from optbench.core.errors import Busy, UsageError
from optbench.scaling.engine import Engine, load
from optbench.scaling.forecast import Forecast, Forecaster
from optbench.scaling.job import Job
from optbench.scaling.names import PLAN, kind_of, log_of, progress_of, runs_alone
from optbench.scaling.pipeline import Pipeline, reason
from optbench.scaling.resources import GPUS_VARIABLE, Machine, Need, needs_of, this_machine
from optbench.scaling.schedule import Schedule, State
from optbench.scaling.tail import message, read_progress
from optbench.scaling.view import Running, Snapshot, View, counted
from optbench.supervision import progress
from optbench.supervision.signals import handled_by

LOOK_EVERY_S = 0.5
# How often a job is begun whose worker dies, or whose study a dying worker still holds.
TRIES = 3
LOST = {Busy.exit_code, 128 + signal.SIGKILL, 128 + signal.SIGTERM}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PAUSE_S = 2.0  # until a dying worker's trainer has written its checkpoint and gone
# What of the head node's environment a job needs: DVC's names, and what changes how it trains.
PASSED_ON = ("DVC_", "OPTBENCH_", "OMP_")


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """What came of it."""

    exit_code: int  # 0, 1 where a stage failed, 128 + n where signal n ended it
    states: Mapping[str, State]  # of each stage


def reproduce(
    targets: Sequence[str],
    *,
    jobs: int,
    engine: str,
    oversubscribe: bool = False,
    forecaster: Forecaster | None = None,
) -> Reproduced:
    """Brings what the targets need up to date; as for `dvc repro`, none mean dvc.yaml.

    Args:
        targets: as for `dvc repro`.
        jobs: how many at once.
        engine: where they are carried out.
        oversubscribe: even if cores or GPUs do not suffice.
        forecaster: says what will run, and how long; None: nothing is known of it.

    Raises:
        UsageError: before anything runs, where something is wrong with what is asked for.
    """
    if jobs < 1:
        raise UsageError(f"--jobs: got {jobs}: must be 1 or more")
    module = load(engine)
    pipeline = Pipeline(targets)
    needs = needs_of(pipeline.stages)
    here = module.is_here()
    machine = this_machine()
    if here and not oversubscribe:
        require_room(machine, needs, jobs=jobs)
    sender = uuid.uuid4().hex
    with closing(module.Engine(jobs=jobs, needs={*needs.values()}, sender=sender)) as started:
        run = Reproduction(
            pipeline,
            started,
            needs,
            jobs=jobs,
            name=sender,
            machine=machine if here else None,
            forecaster=forecaster,
        )
        return Reproduced(exit_code=run.carry_out(), states=run.schedule.states)


def require_room(machine: Machine, needs: Mapping[str, Need], *, jobs: int) -> None:
    """Refuses more jobs than a machine has room for, or a stage on more devices.

    Raises:
        UsageError: cores or GPUs do not suffice.
    """
    beside = {need for stage, need in needs.items() if jobs > 1 and not runs_alone(stage)}
    machine.require_room(jobs=jobs, needs=beside)
    # On one device such a stage refuses by itself, and only where it is not up to date.
    alone = {need for need in needs.values() if need.devices > 1} - beside
    machine.require_room(jobs=1, needs=alone)


class Reproduction:
    """One call of `optbench repro`."""

    def __init__(
        self,
        pipeline: Pipeline,
        engine: Engine,
        needs: Mapping[str, Need],
        *,
        jobs: int,
        name: str,
        machine: Machine | None,
        forecaster: Forecaster | None,
    ) -> None:
        """Has nothing run yet.

        Args:
            pipeline: what there is to do.
            engine: carries it out.
            needs: of the job of each stage.
            jobs: how many at once.
            name: of the sender of jobs.
            machine: the one whose GPUs the jobs share; None: the engine gives them theirs.
            forecaster: says what will run, and how long.
        """
        self.pipeline, self.engine, self.jobs, self.name = pipeline, engine, jobs, name
        self.machine, self.needs = machine, needs
        alone = {stage for stage in pipeline.needs if runs_alone(stage)}
        beside = [need.gpus for stage, need in needs.items() if stage not in alone]
        self.width = max([1, *beside])  # the most GPUs of a job that has others beside it
        self.schedule = Schedule(pipeline.needs, alone=alone)
        self.places: dict[str, int] = {}  # of the running stages, among the jobs
        self.started: dict[str, float] = {}  # when each command began
        self.executed: set[str] = set()  # whose command began
        self._planning = threading.Lock()
        self.plans = {stage for stage in pipeline.needs if kind_of(stage) == PLAN}  # not yet made
        self.forecaster, self.forecast = forecaster, Forecast()
        self.took_s: list[float] = []
        self.failures: dict[str, str] = {}
        self.signal: int | None = None
        self.view = View(Console())

    def carry_out(self) -> int:
        """Runs all there is to run, shows it, and sums it up."""
        begin = time.monotonic()
        with (
            handled_by(self._note, *SIGNALS),
            self.view,
            self.pipeline.opened(self._send),
            ThreadPoolExecutor(self.jobs) as pool,
        ):
            working = [pool.submit(self._work, place) for place in range(self.jobs)]
            try:
                self._look_after(working)
            except BaseException:  # of a view that cannot be written, say: nothing runs on unseen
                self._end()
                raise
        self._sum_up(time.monotonic() - begin)
        if self.signal is not None:
            return 128 + self.signal
        return 1 if self.failures else 0

    def _look_after(self, working: Sequence[Future[None]]) -> None:
        """Shows how jobs go until they are done, and ends them where a signal asks for it."""
        ended = False
        while wait(working, timeout=LOOK_EVERY_S, return_when=FIRST_EXCEPTION).not_done:
            for work in working:
                if work.done():
                    work.result()  # raises what has gone wrong in it, beside those that go on
            self.view.show(self._snapshot())
            if self.signal is not None and not ended:
                ended = True
                self._end()
        for work in working:
            work.result()

    def _end(self) -> None:
        """Ends what runs, and begins nothing more."""
        self.schedule.stop()
        self.engine.end()

    def _work(self, place: int) -> None:
        """One of the jobs: takes stages until there are no more."""
        while (stage := self.schedule.take()) is not None:
            self.places[stage] = place
            begin, state = time.monotonic(), State.FAILED
            try:
                state = self._bring_up_to_date(stage)
                if state is State.DONE:
                    self.took_s.append(time.monotonic() - begin)
                    how = "done" if stage in self.executed else "restored"
                    self.view.say(f"{how}: {stage}, in {duration(self.took_s[-1])}")
            finally:  # whatever cannot be said: no other job waits for it
                self.schedule.settle(stage, state)
                del self.places[stage]

    def _bring_up_to_date(self, stage: str) -> State:
        """Has DVC reproduce a stage; says what came of it."""
        try:
            changed = self.pipeline.reproduce(stage)
            if self._is_last_plan(stage):
                self._look_ahead()
        except Exception as error:  # whatever it is, the other stages go on
            if self.signal is not None:
                return State.STOPPED
            self._fail(stage, error)
            return State.FAILED
        return State.DONE if changed else State.UNCHANGED

    def _is_last_plan(self, stage: str) -> bool:
        """Whether a stage has made a plan, and no other is still to be made."""
        with self._planning:
            if stage not in self.plans:
                return False
            self.plans.remove(stage)
            return not self.plans

    def _look_ahead(self) -> None:
        """Says what will run, now that it is known: all else needs plans."""
        if self.forecaster is None:
            return
        changes = self.pipeline.changes(self.schedule.in_state(State.WAITING))
        self.forecast = self.forecaster(changes)
        for sentence in self.forecast.sentences:
            self.view.say(sentence)

    def _send(
        self, stage: str, command: tuple[str, ...], folder: str, environment: Mapping[str, str]
    ) -> int:
        """Has the engine carry out a stage's command, again where its worker dies."""
        log = log_of(stage).absolute()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        points = progress_of(stage).absolute()
        points.unlink(missing_ok=True)
        job = Job(
            stage=stage,
            command=command,
            folder=folder,
            environment={
                **{name: of for name, of in environment.items() if name.startswith(PASSED_ON)},
                **self._gpus(stage),
                progress.VARIABLE: str(points),
            },
            log=str(log),
            sender=self.name,
            cores=self.needs[stage].cores,
        )
        self.started[stage] = time.monotonic()
        self.executed.add(stage)
        try:
            return self._try(job)
        finally:
            del self.started[stage]

    def _try(self, job: Job) -> int:
        """Has the engine carry out a job; its last exit code where its workers die."""
        for trial in range(1, TRIES + 1):
            code = self.engine.run(job)
            if code not in LOST or self.signal is not None or trial == TRIES:
                break
            self.view.say(f"{job.stage}: lost its worker (exit code {code}), is tried again")
            time.sleep(PAUSE_S)
        return code

    def _gpus(self, stage: str) -> Mapping[str, str]:
        """The variable that gives a stage its GPUs, where this machine has some."""
        if self.machine is None or not self.machine.gpus:
            return {}
        place = 0 if stage in self.schedule.alone else self.places[stage]
        names = self.machine.gpus_of(place, self.needs[stage], width=self.width)
        return {GPUS_VARIABLE: ",".join(names)}

    def _fail(self, stage: str, error: Exception) -> None:
        """Notes why a stage failed; the whole of it goes to its log."""
        log = log_of(stage)
        if isinstance(error, StageCmdFailedError):
            self.failures[stage] = message(log)
        else:
            self.failures[stage] = reason(error)
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                traceback.print_exception(error, file=file)
        self.view.say(f"failed: {stage}: {self.failures[stage]}")

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Remembers the signal that asks for the end."""
        self.signal = number

    def _snapshot(self) -> Snapshot:
        """The pipeline now."""
        now = time.monotonic()
        running = [
            Running(stage=stage, elapsed_s=now - start, progress=read_progress(progress_of(stage)))
            for stage, start in list(self.started.items())
        ]
        waiting = self.schedule.in_state(State.WAITING)
        left_s = self.forecast.left_s(waiting, {at.stage: at.elapsed_s for at in running})
        if self.forecast.seconds is None and self.took_s:
            left_s = fmean(self.took_s) * (len(waiting) + len(running))
        return Snapshot(
            count=self.schedule.count(),
            running=running,
            left_s=None if left_s is None else left_s / self.jobs,
        )

    def _sum_up(self, seconds: float) -> None:
        """Says how many stages came to what, and where to read why some failed."""
        for stage in self.failures:
            self.view.say(f"failed: {stage}: see {log_of(stage)}")
        if self.signal is not None:
            name = signal.Signals(self.signal).name
            self.view.say(f"{name}: stopped; what was done is kept: run the same command to go on")
        count = self.schedule.count()
        if count[State.UNCHANGED] == count.total():
            self.view.say(f"nothing had changed: looked at {count.total()} stages")
        else:
            self.view.say(f"{counted(count)}, in {duration(seconds)}")
