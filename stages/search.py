"""Stage `search`: carries out the trials of one optimizer on a workload's validation split."""

import argparse

from optbench.core import rows
from optbench.core.files import publish, require_writable
from optbench.core.process import as_stage
from optbench.core.run import read_params
from optbench.search.carry_out import carry_out, kept_at
from optbench.search.trials import SEARCHES, Trial, trial_runs
from optbench.training.lock import sole


def main() -> None:
    """Writes searches/<workload>/trials/<optimizer>.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("optimizer")
    args = parser.parse_args()
    runs = trial_runs(read_params(), args.workload, args.optimizer)
    path = SEARCHES / args.workload / "trials" / f"{args.optimizer}.csv"
    with sole(f"{args.workload}/search/{args.optimizer}"):
        require_writable(path.parent)
        kept = kept_at(runs)
        trials = carry_out(runs, kept)
        publish(path, rows.to_csv(Trial, trials))
        kept.unlink()


if __name__ == "__main__":
    with as_stage():
        main()
