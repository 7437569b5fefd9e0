"""Carries out the trials of one optimizer. Finished ones survive a kill."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from optbench.core import registry, rows
from optbench.core.duration import duration
from optbench.core.files import publish
from optbench.core.run import Run
from optbench.cost.estimate import estimate_s
from optbench.search.attempt import attempt
from optbench.search.trials import Trial, Values
from optbench.supervision.identity import identity
from optbench.training.assembly import prepare

SCRATCH = Path("scratch/search")


def carry_out(runs: Sequence[Run], values: Sequence[Values], kept: Path) -> list[Trial]:
    """Trains the trials that the file `kept` does not hold yet, and adds each to it at once.

    Args:
        runs: of the trials.
        values: what of each is searched.
        kept: the table of those that are done.
    """
    trials = rows.from_csv(Trial, kept) if kept.is_file() else []
    print(outlook(runs, len(trials)), flush=True)
    waiting = list(zip(runs, values, strict=True))[len(trials) :]
    for run, point in track(waiting, description="trials", disable=not sys.stdout.isatty()):
        trials.append(attempt(run, point, len(trials) + 1))
        publish(kept, rows.to_csv(Trial, trials))
        line = f"trial {len(trials)}/{len(runs)}  {describe(trials[-1], run.settings.task)}"
        print(f"{name(run)}: {line}", flush=True)
    return trials


def kept_at(runs: Sequence[Run]) -> Path:
    """Where finished trials wait for the rest.

    The name holds all that their bits depend on.
    """
    environment = prepare(runs[0]).fingerprint
    return SCRATCH / runs[0].workload / f"{runs[0].optimizer}-{identity(runs, environment)}.csv"


def outlook(runs: Sequence[Run], done: int) -> str:
    """How many trials there are, and about how long they take where a step's time is known."""
    head = f"{name(runs[0])}: {len(runs)} trials of {runs[0].settings.budget}"
    if done:
        head += f", {done} done before"
    times = [estimate_s(run) for run in runs[done:]]
    known = [time for time in times if time is not None]
    if not times or len(known) < len(times):
        return head
    return f"{head}: about {duration(sum(known))}, at the step time in costs/{runs[0].workload}/"


def name(run: Run) -> str:
    """Whose trial it is."""
    return f"{run.workload}/{run.optimizer}"


def describe(trial: Trial, task: str) -> str:
    """A trial's hyper-parameters and score in a line."""
    args = "  ".join(f"{name} {value:g}" for name, value in trial.hyper.items())
    if trial.validation_score is None:
        return f"{args}  {failure(trial)}"
    score = registry.load_score(task).SCORE
    return f"{args}  validation {score.name} {score.with_unit(trial.validation_score)}"


def failure(trial: Trial) -> str:
    """How a trial without a score ended."""
    step = trial.diverged_at_step
    return "stopped: its numbers broke" if step is None else f"diverged at step {step}"
