"""Answers "which optimizer should I use?" for a budget, from what was measured on a workload."""

import math
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from optbench.cli.commands import Parser
from optbench.cli.recorded import require_report
from optbench.core.errors import UsageError
from optbench.params.load import load_params, load_room
from optbench.report.advice import Allowance, advise
from optbench.report.contents import read_claims, read_contents


def run(arguments: Sequence[str], standing: Path) -> int:
    """Prints sentences and a table."""
    parser = Parser("advise", __doc__, example="digits-cnn --epochs 3 --memory-mb 5")
    parser.add_argument("workload")
    parser.add_argument("--epochs", type=float, help="of training")
    parser.add_argument("--trials", type=int, help="of a search, for each arm")
    parser.add_argument("--memory-mb", type=float, help="of tensors alive at once in a step")
    args = parser.parse_args(arguments)
    for name in ("epochs", "trials", "memory_mb"):
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option}: got {value:g}: must be above 0, and finite")
    memory = None if args.memory_mb is None else round(1e6 * args.memory_mb)
    allowance = Allowance(epochs=args.epochs, trials=args.trials, memory_bytes=memory)
    params = load_params()
    room = load_room(args.workload, params)
    require_report(room)
    advice = advise(read_contents(room, read_claims()), allowance)
    print(*advice.sentences, sep="\n")
    if advice.table is not None:
        rows = [row.cells for row in advice.table.rows]
        print(tabulate(rows, advice.table.headers, disable_numparse=True))
    return 0
