"""Stage `study`: carries out studies of an arm, and stores the best trial of each."""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path

from optbench.core import records, rows
from optbench.core.files import require_writable
from optbench.core.registry import load_score
from optbench.core.study import FRESH, Study, planned
from optbench.studies.carry_out import carry_out_study, forget
from optbench.studies.trials import FILE, Trial, choice
from optbench.supervision.launch import launch
from optbench.supervision.lock import exclusive
from optbench.supervision.process import as_stage, is_first, is_launched
from optbench.supervision.span import span_of


def main() -> None:
    """Writes results/<workload>/suite/<arm>-<studies>/<study>/, or fresh/<arm>/.

    What is finished is in scratch/ until all are, so that the same command goes on where it was
    killed. On several devices it is this command once for each; the first stores.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("arm", help="as in adamw-cosine")
    parser.add_argument("studies", nargs="?", help="as in 3 or 0-9 (default: the stage's, by DVC)")
    parser.add_argument("--fresh", action="store_true", help="one that confirms the suite's")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    study = planned(args.workload, args.arm)
    if args.fresh:
        place, within = Path("fresh") / args.arm, {FRESH: "."}
    else:
        span = span_of(args.studies, args.arm)
        place, within = span.folder(args.arm), {number: str(number) for number in span.numbers}
    folder = Path("results") / args.workload / place
    places = {number: folder / name for number, name in within.items()}
    devices = study.run.settings.devices
    if devices > 1 and not is_launched():
        launch(devices)
    elif is_launched() and not is_first():
        logging.disable()
        for number in places:
            carry_out_study(study, number)
    else:
        with exclusive(f"{args.workload}/{place}"):
            require_writable(folder)
            carry_out_and_store(study, places)


def carry_out_and_store(study: Study, places: Mapping[int, Path]) -> None:
    """Carries out studies, by their numbers, and stores all trials and what the best left behind.

    DVC takes away what a stage that is killed has stored: none is forgotten before the last is in
    its place.
    """
    for number, results in places.items():
        trials, outcomes = carry_out_study(study, number)
        winner = choice(trials, load_score(study.run.settings.task).SCORE)
        outcome = outcomes[winner.trial - 1]
        records.write(outcome, results, {FILE: rows.to_csv(Trial, trials)})
        if outcome.diverged_at_step is not None:
            step = outcome.diverged_at_step
            print(f"{study.name(number)} diverged at step {step}: recorded as its result")
    for number in places:
        forget(study, number)


if __name__ == "__main__":
    with as_stage():
        main()
