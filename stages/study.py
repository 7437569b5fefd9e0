"""Stage `study`: carries out studies of an arm, and stores the best trial of each."""

import argparse
import logging
from pathlib import Path

from optbench.core.files import require_writable
from optbench.core.study import FRESH, planned
from optbench.studies.carry_out import carry_out_and_store, carry_out_study
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


if __name__ == "__main__":
    with as_stage():
        main()
