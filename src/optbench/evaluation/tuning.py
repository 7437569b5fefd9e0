"""Whether the hyper-parameters of a cell are those that the search chose."""

from collections.abc import Sequence

from optbench.core.arm import Arm
from optbench.core.run import Run
from optbench.search.winners import Winner, Winners

UNTUNED = "untuned"
SEARCHED = "searched"
OTHER = "differs from the winner"


def tunings(cells: Sequence[Run], winners: Winners) -> dict[Arm, str]:
    """How the hyper-parameters of each arm were chosen."""
    return {cell.arm: tuning(cell, winners.get(cell.optimizer)) for cell in cells}


def tuning(run: Run, winner: Winner | None) -> str:
    """A few words; a search under one schedule serves the others too, and that is said."""
    if winner is None:
        return UNTUNED
    if any(run.optimizer_args.get(name) != value for name, value in winner.hyper.items()):
        return OTHER
    return SEARCHED if run.schedule == winner.schedule else f"{SEARCHED} under {winner.schedule}"
