"""What a step of an optimizer costs, as `cost` writes it and reports read it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from optbench.core.errors import UsageError
from optbench.core.run import Budget

COSTS = Path("costs")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """An optimizer's step beside SGD's: times in seconds, memory in bytes.

    Medians and quartiles are taken over steps of a kind, then averaged over kinds.

    `peak_memory_bytes`, on every device, are the most that are alive at once in a step of any kind,
    nothing else being trained, less what was there before network and optimizer were built. So
    parameters, gradients, the optimizer's state, activations and temporaries count; the data set
    and the batch do not.
    """

    step_time_s: float  # median
    sgd_step_time_s: float  # median
    step_time_ratio: float  # median over pairs of steps
    step_time_ratio_q1: float  # quartiles over pairs of steps
    step_time_ratio_q3: float
    pairs: int
    ratio_by_kind: Mapping[str, float]  # medians
    steps_per_epoch: int
    optimizer_state_bytes: int
    peak_memory_bytes: int
    fingerprint: Mapping[str, str | int]

    def training_s(self, budget: Budget) -> float:
        """The steps of a run, without scoring."""
        return budget.total_steps(self.steps_per_epoch) * self.step_time_s

    def to_json(self) -> str:
        """The text of its file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def cost_path(workload: str, optimizer: str) -> Path:
    """Where the cost of an optimizer is."""
    return COSTS / workload / f"{optimizer}.json"


def read_cost(path: Path) -> Cost:
    """A cost from its file.

    Raises:
        UsageError: it is missing or is not what `cost` writes.
    """
    try:
        return Cost(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path} is no cost of a step ({error}): `dvc repro` measures it again"
        ) from error
