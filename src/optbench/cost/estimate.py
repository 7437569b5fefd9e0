"""How long a run takes, from the measured time of its optimizer's step."""

from optbench.core.run import SCORING_SHARE, Run
from optbench.cost.cost import cost_path, read_cost


def estimate_s(run: Run) -> float | None:
    """Seconds of a run from its optimizer's measured step time; None where there is none."""
    path = cost_path(run.workload, run.optimizer)
    if not path.is_file():
        return None
    return read_cost(path).training_s(run.settings.budget) / (1 - SCORING_SHARE)
