"""Whether the hyper-parameters of a cell are those that the search found."""

from collections.abc import Mapping, Sequence
from typing import Any

from optbench.core.run import Run
from optbench.search.space import hyper_parameters
from optbench.search.winners import Winner, Winners

UNTUNED = "untuned"
SEARCHED = "searched"
OTHER = "differs from the winner"


def tunings(cells: Sequence[Run], winners: Winners) -> dict[tuple[str, str], str]:
    """How the hyper-parameters of each optimizer and schedule were chosen."""
    return {
        (cell.optimizer, cell.schedule): tuning(
            cell.schedule, cell.optimizer_args, winners.get(cell.optimizer)
        )
        for cell in cells
    }


def tuning(schedule: str, optimizer_args: Mapping[str, Any], winner: Winner | None) -> str:
    """A few words; a search under one schedule serves the others too, and that is said."""
    if winner is None:
        return UNTUNED
    if any(optimizer_args.get(name) != value for name, value in hyper_parameters(winner).items()):
        return OTHER
    return SEARCHED if schedule == winner.schedule else f"{SEARCHED} under {winner.schedule}"
