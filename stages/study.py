"""Stage `study`: carries out a study of an arm, and stores its best trial by validation."""

import argparse
import logging
from pathlib import Path

from optbench.core import records, rows
from optbench.core.files import require_writable
from optbench.core.registry import load_score
from optbench.core.study import FRESH, Study, planned
from optbench.studies.carry_out import carry_out_study, forget, name_of
from optbench.studies.trials import FILE, Trial, choice
from optbench.supervision.launch import launch
from optbench.supervision.lock import exclusive
from optbench.supervision.number import number_of
from optbench.supervision.process import as_stage, is_first, is_launched


def main() -> None:
    """Writes results/<workload>/suite/<arm>-<study>/, or fresh/<arm>/.

    What is finished is in scratch/ until then, so that the same command goes on where it was
    killed. On several devices it is this command once for each; the first stores.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("arm", help="as in adamw-cosine")
    parser.add_argument("study", nargs="?", help="its number (default: the stage's, by DVC)")
    parser.add_argument("--fresh", action="store_true", help="one that confirms the suite's")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    study = planned(args.workload, args.arm)
    number = FRESH if args.fresh else number_of(args.study)
    place = f"fresh/{study.arm.key}" if args.fresh else f"suite/{study.name(number)}"
    devices = study.run.settings.devices
    if devices > 1 and not is_launched():
        launch(devices)
    elif is_launched() and not is_first():
        logging.disable()
        carry_out_study(study, number)
    else:
        carry_out_and_store(study, number, Path("results") / args.workload / place)


def carry_out_and_store(study: Study, number: int, results: Path) -> None:
    """Carries out a study, and stores all trials and what the best left behind."""
    with exclusive(name_of(study, number)):
        require_writable(results)
        trials, outcomes = carry_out_study(study, number)
        winner = choice(trials, load_score(study.run.settings.task).SCORE)
        outcome = outcomes[winner.trial - 1]
        records.write(outcome, results, {FILE: rows.to_csv(Trial, trials)})
        forget(study, number)
    if outcome.diverged_at_step is not None:
        print(f"diverged at step {outcome.diverged_at_step}: recorded as the result")


if __name__ == "__main__":
    with as_stage():
        main()
