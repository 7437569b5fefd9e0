"""Carries out the trials of one optimizer. Finished ones survive a kill."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from optbench.core import rows
from optbench.core.errors import NumericalError
from optbench.core.files import publish
from optbench.core.run import Run
from optbench.estimate import duration, estimate_s
from optbench.search.space import hyper_parameters
from optbench.search.trials import Trial
from optbench.training.assembly import prepare
from optbench.training.identity import identity
from optbench.training.loop import fit

SCRATCH = Path("scratch/search")


def carry_out(runs: Sequence[Run], kept: Path) -> list[Trial]:
    """Trains the trials that the file `kept` does not hold yet, and adds each to it at once."""
    trials = rows.from_csv(Trial, kept) if kept.is_file() else []
    print(outlook(runs, len(trials)), flush=True)
    waiting = runs[len(trials) :]
    for run in track(waiting, description="trials", disable=not sys.stdout.isatty()):
        trials.append(attempt(run, len(trials) + 1))
        publish(kept, rows.to_csv(Trial, trials))
        print(f"{name(run)}: trial {len(trials)}/{len(runs)}  {describe(trials[-1])}", flush=True)
    return trials


def attempt(run: Run, number: int) -> Trial:
    """Trains one trial. Its test set stays unread; what its numbers break is its result."""
    args = run.optimizer_args
    trial = Trial(
        optimizer=run.optimizer,
        trial=number,
        schedule=run.schedule,
        seed=run.seed,
        epochs=run.settings.epochs,
        lr=args["lr"],
        weight_decay=args.get("weight_decay"),
        damping=args.get("damping"),
        validation_accuracy=None,
        validation_loss=None,
        diverged_at_step=None,
    )
    training = prepare(run)
    try:
        fit(training)
    except NumericalError as error:
        print(error)
        return trial
    if training.course.diverged_at_step is not None:
        return replace(trial, diverged_at_step=training.course.diverged_at_step)
    last = training.course.history[-1]
    return replace(
        trial, validation_accuracy=last.heldout_accuracy, validation_loss=last.heldout_loss
    )


def kept_at(runs: Sequence[Run]) -> Path:
    """Where finished trials wait for the rest.

    The name holds all that their bits depend on.
    """
    environment = prepare(runs[0]).fingerprint
    return SCRATCH / runs[0].workload / f"{runs[0].optimizer}-{identity(runs, environment)}.csv"


def outlook(runs: Sequence[Run], done: int) -> str:
    """How many trials there are, and about how long they take where a step's time is known."""
    head = f"{name(runs[0])}: {len(runs)} trials of {runs[0].settings.epochs} epochs"
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


def describe(trial: Trial) -> str:
    """A trial's hyper-parameters and score in a line."""
    args = "  ".join(f"{name} {value:g}" for name, value in hyper_parameters(trial).items())
    if trial.validation_accuracy is None:
        return f"{args}  {failure(trial)}"
    return f"{args}  validation accuracy {trial.validation_accuracy:.2%}"


def failure(trial: Trial) -> str:
    """How a trial without a score ended."""
    step = trial.diverged_at_step
    return "stopped: its numbers broke" if step is None else f"diverged at step {step}"
