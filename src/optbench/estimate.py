"""How long a run takes, from the measured time of its optimizer's step."""

import json
from pathlib import Path

from optbench.core.run import Run

EVALUATION_SHARE = 0.1  # of a run's time; held-out accuracy after each epoch


def estimate_s(run: Run) -> float | None:
    """Seconds of a run from its optimizer's measured step time; None where there is none."""
    path = Path("costs") / run.workload / f"{run.optimizer}.json"
    if not path.is_file():
        return None
    cost = json.loads(path.read_text(encoding="utf-8"))
    steps = cost["steps_per_epoch"] * run.settings.epochs
    return float(steps * cost["step_time_s"] * (1 + EVALUATION_SHARE))


def duration(seconds: float) -> str:
    """A time in the unit that fits."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
