"""Carries out the trials of one optimizer. Finished ones survive a kill."""

import hashlib
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from rich.progress import track

from optbench.core import registry, rows
from optbench.core.errors import NumericalError
from optbench.core.files import publish
from optbench.core.run import Run
from optbench.estimate import duration, estimate_s
from optbench.search.space import hyper_parameters
from optbench.search.trials import Trial
from optbench.training.assembly import load_data
from optbench.training.device import fingerprint, make_repeatable
from optbench.training.progress import Unseen
from optbench.training.train import learn

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
    try:
        course = learn(run, lambda _: nullcontext(Unseen())).course
    except NumericalError as error:
        print(error)
        return trial
    if course.diverged_at_step is not None:
        return replace(trial, diverged_at_step=course.diverged_at_step)
    last = course.history[-1]
    return replace(
        trial, validation_accuracy=last.heldout_accuracy, validation_loss=last.heldout_loss
    )


def kept_at(runs: Sequence[Run]) -> Path:
    """Where finished trials wait for the rest.

    The name holds all that their bits depend on: the runs, the fingerprint with the data's digest,
    and the project's code that is loaded.
    """
    run, settings = runs[0], runs[0].settings
    device = make_repeatable(settings)
    used = {
        "models": settings.network, "optimizers": run.optimizer, "schedules": run.schedule,
    }  # fmt: skip
    for kind, part in used.items():
        registry.load(kind, part)
    environment = fingerprint(settings, device, load_data(settings).digest)
    digest = hashlib.sha256(json.dumps([[asdict(run) for run in runs], environment]).encode())
    for file in loaded_sources():
        digest.update(file.read_bytes())
    return SCRATCH / run.workload / f"{run.optimizer}-{digest.hexdigest()[:16]}.csv"


def loaded_sources() -> list[Path]:
    """The project's files that this process has imported."""
    files = {getattr(module, "__file__", None) for module in sys.modules.values()}
    paths = {Path(file) for file in files if file}
    return sorted(path for path in paths if path.is_relative_to(registry.PACKAGE))


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
