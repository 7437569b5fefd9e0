"""Answers "which optimizer should I use?" for a budget, from what was measured. No stage."""

import argparse

from tabulate import tabulate

from optbench.core.errors import UsageError
from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.report.advice import Budget, advise
from optbench.report.contents import read_contents, read_trials


def main() -> None:
    """Prints sentences and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("--epochs", type=int, help="of training")
    parser.add_argument("--trials", type=int, help="of a search, for each optimizer")
    parser.add_argument("--memory-mb", type=float, help="of tensors alive at once in a step")
    args = parser.parse_args()
    for name, value in vars(args).items():
        if name != "workload" and value is not None and not value > 0:
            raise UsageError(f"--{name.replace('_', '-')}: got {value}: must be above 0")
    memory = None if args.memory_mb is None else round(1e6 * args.memory_mb)
    budget = Budget(epochs=args.epochs, trials=args.trials, memory_bytes=memory)
    contents = read_contents(load_params(workload=args.workload), args.workload)
    advice = advise(contents, budget, read_trials(args.workload))
    print("\n".join(advice.sentences))
    if advice.rows:
        print(tabulate(advice.rows, advice.headers, disable_numparse=True))


if __name__ == "__main__":
    with as_stage():
        main()
