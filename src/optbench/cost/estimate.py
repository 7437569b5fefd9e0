"""How long a run takes, from the measured time of its optimizer's step."""

from optbench.core.run import SCORING_SHARE, Run
from optbench.cost.cost import cost_path
from optbench.cost.measured import measured_cost


def estimate_s(run: Run) -> float | None:
    """Seconds of a run from its optimizer's measured step time; None where there is none.

    A step takes as long as one device's part of it: what devices send each other is not in it. One
    that was measured for another number of devices, or on a CPU with other threads, is taken to be
    as much work, shared by the run's.

    Raises:
        UsageError: the measured cost is damaged, or holds what cannot be.
    """
    path = cost_path(run.workload, run.optimizer)
    if not path.is_file():
        return None
    cost = measured_cost(path)
    seconds = cost.training_s(run.settings.budget) / (1 - SCORING_SHARE)
    seconds *= int(cost.fingerprint.get("devices", 1)) / run.settings.devices
    if not str(cost.fingerprint["device"]).startswith("cpu"):
        return seconds
    return seconds * int(cost.fingerprint["threads"]) / run.settings.threads
