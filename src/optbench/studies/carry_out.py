"""Carries out a study. Trials that are finished survive a kill, and one under way goes on."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from optbench.core import records, registry, rows
from optbench.core.duration import duration
from optbench.core.errors import UsageError
from optbench.core.records import Outcome
from optbench.core.run import Run
from optbench.core.study import Study
from optbench.cost.estimate import estimate_s
from optbench.studies.points import repeats, trials
from optbench.studies.trials import FILE, Trial, choice, trial_of
from optbench.supervision.identity import identity
from optbench.supervision.supervise import train
from optbench.training.assembly import prepare

SCRATCH = Path("scratch/studies")


def carry_out(
    runs: Sequence[Run], *, name: str, describe: Callable[[Outcome], str]
) -> list[Outcome]:
    """Trains runs one after the other; those that were finished before are read.

    Args:
        runs: of one arm.
        name: shown with their progress, and of the folder where they wait for the rest.
        describe: what to print of each.
    """
    folder = kept_at(runs, name)
    outcomes: list[Outcome] = []
    kept = [stored(folder / f"{index:04d}", run) for index, run in enumerate(runs)]
    if len(runs) > 1:
        print(outlook(runs, kept, name), flush=True)
    for index, (run, outcome) in enumerate(zip(runs, kept, strict=True)):
        place = folder / f"{index:04d}"
        if outcome is None:
            checkpoints = folder / "checkpoints"
            outcome, training = train(run, f"{name}/{index + 1}", checkpoints)
            if training.world.is_first:
                records.write(outcome, place)
                shutil.rmtree(checkpoints, ignore_errors=True)
            if len(runs) > 1:
                print(f"{name}: {index + 1} of {len(runs)}  {describe(outcome)}", flush=True)
        outcomes.append(outcome)
    return outcomes


def kept_at(runs: Sequence[Run], name: str) -> Path:
    """Where finished runs wait for the rest: by all that their bits depend on."""
    return SCRATCH / name / identity(runs, prepare(runs[0]).fingerprint)


def stored(folder: Path, run: Run) -> Outcome | None:
    """The outcome of a run that was finished before; None where it was not, or is damaged.

    Of a run on several devices none is taken: not all may see the folder.
    """
    if run.settings.devices > 1 or not (folder / records.SUMS).is_file():
        return None
    try:
        outcome = records.read(folder)
    except UsageError:
        return None
    return outcome if outcome.run == run else None


def outlook(runs: Sequence[Run], kept: Sequence[Outcome | None], name: str) -> str:
    """How many runs there are, and about how long they take where a step's time is known."""
    head = f"{name}: {len(runs)} runs of {runs[0].settings.budget}"
    waiting = [run for run, outcome in zip(runs, kept, strict=True) if outcome is None]
    if done := len(runs) - len(waiting):
        head += f", {done} done before"
    known = [time for run in waiting if (time := estimate_s(run)) is not None]
    if not waiting or len(known) < len(waiting):
        return head
    return f"{head}: about {duration(sum(known))}, at the step time in costs/{runs[0].workload}/"


def carry_out_study(study: Study, number: int) -> tuple[list[Trial], list[Outcome]]:
    """Carries out the study of that number: its trials, and what each left behind.

    Raises:
        UsageError: the task holds out no validation set, by which trials could be chosen.
    """
    table, outcomes = in_a_table(trials(study, number), study, number, name_of(study, number))
    finished = [trial for trial in table if trial.diverged_at_step is None]
    if len(table) > 1 and any(trial.validation_score is None for trial in finished):
        raise UsageError(
            f"the task {study.run.settings.task} holds out no validation set on "
            f"{study.run.settings.dataset}, by which trials could be chosen: leave `search` empty"
        )
    return table, outcomes


def carry_out_and_store(study: Study, places: Mapping[int, Path]) -> None:
    """Carries out studies, by their numbers, and stores all trials and what the best left behind.

    DVC takes away what a stage that is killed has stored: none is forgotten before the last is in
    its place.
    """
    score = registry.load_score(study.run.settings.task).SCORE
    for number, folder in places.items():
        table, outcomes = carry_out_study(study, number)
        outcome = outcomes[choice(table, score).trial - 1]
        records.write(outcome, folder, {FILE: rows.to_csv(Trial, table)})
        if outcome.diverged_at_step is not None:
            step = outcome.diverged_at_step
            print(f"{study.name(number)} diverged at step {step}: recorded as its result")
    for number in places:
        forget(study, number)


def repeat(study: Study, number: int, winner: Run) -> list[Trial]:
    """A row for each more seed of the winner of the study of that number."""
    runs, name = repeats(winner, number), f"{name_of(study, number)}-repeated"
    return in_a_table(runs, study, number, name)[0]


def in_a_table(
    runs: Sequence[Run], study: Study, number: int, name: str
) -> tuple[list[Trial], list[Outcome]]:
    """Carries out runs of a study: a row of each, and what it left behind."""
    outcomes = carry_out(runs, name=name, describe=lambda outcome: described(outcome, study))
    table = [trial_of(outcome, study, number, n) for n, outcome in enumerate(outcomes, start=1)]
    return table, outcomes


def forget(study: Study, number: int) -> None:
    """Removes what was kept of a study whose outcomes are stored for good."""
    for name in (name_of(study, number), f"{name_of(study, number)}-repeated"):
        shutil.rmtree(SCRATCH / name, ignore_errors=True)


def name_of(study: Study, number: int) -> str:
    """Of the study, shown with its progress, and of the folder where finished runs wait."""
    return f"{study.workload}/{study.name(number)}"


def described(outcome: Outcome, study: Study) -> str:
    """A trial's hyper-parameters and score in a line."""
    args = "  ".join(f"{name} {value:g}" for name, value in study.values(outcome.run).items())
    if outcome.validation_score is None:
        return f"{args}  diverged at step {outcome.diverged_at_step}"
    score = registry.load_score(outcome.run.settings.task).SCORE
    return f"{args}  validation {score.name} {score.with_unit(outcome.validation_score)}"
