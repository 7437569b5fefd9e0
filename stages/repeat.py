"""Stage `repeat`: trains the winner of an arm's first study again with five more seeds."""

import argparse
import logging
from pathlib import Path

from optbench.core import records, rows
from optbench.core.files import publish, require_writable
from optbench.core.study import planned
from optbench.params.load import load_params, load_room
from optbench.studies.carry_out import forget, repeat
from optbench.studies.trials import Trial
from optbench.supervision.lock import exclusive
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes results/<workload>/repeats/<arm>.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("arm", help="as in adamw-cosine")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    study = planned(args.workload, args.arm)
    span = load_room(args.workload, load_params()).suite.studies[0]
    number, results = span.first, Path("results") / args.workload
    winner = records.read(results / span.folder(args.arm) / str(number)).run
    with exclusive(f"{args.workload}/repeats/{args.arm}"):
        require_writable(results / "repeats")
        table = repeat(study, number, winner)
        publish(results / "repeats" / f"{args.arm}.csv", rows.to_csv(Trial, table))
        forget(study, number)


if __name__ == "__main__":
    with as_stage():
        main()
