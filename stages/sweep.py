"""Stage `sweep`: trains arms with several values of one argument, and stores all trials."""

import argparse
import logging
from pathlib import Path

from optbench.core.files import require_writable
from optbench.core.sweep import planned_sweep
from optbench.studies.sweep import carry_out_sweep
from optbench.supervision.lock import exclusive
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes results/<workload>/sweeps/<sweep>/{trials.csv,sweep.json}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("sweep")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    place = Path("sweeps") / args.sweep
    folder = Path("results") / args.workload / place
    with exclusive(f"{args.workload}/{place}"):
        require_writable(folder)
        carry_out_sweep(planned_sweep(args.workload, args.sweep), folder)


if __name__ == "__main__":
    with as_stage():
        main()
