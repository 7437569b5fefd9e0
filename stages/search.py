"""Stage `search`: carries out the trials of one optimizer on a workload's validation split."""

import argparse

from optbench.core import rows
from optbench.core.files import publish, require_writable
from optbench.search.carry_out import carry_out, kept_at
from optbench.search.trials import Trial, folder_of, planned_trials
from optbench.supervision.lock import exclusive
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes workloads/<workload>/search/trials/<optimizer>.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("optimizer")
    args = parser.parse_args()
    runs, values = planned_trials(args.workload, args.optimizer)
    path = folder_of(args.workload) / "trials" / f"{args.optimizer}.csv"
    with exclusive(f"{args.workload}/search/{args.optimizer}"):
        require_writable(path.parent)
        kept = kept_at(runs)
        publish(path, rows.to_csv(Trial, carry_out(runs, values, kept)))
        kept.unlink()


if __name__ == "__main__":
    with as_stage():
        main()
