"""Costs as they are read back: what no measurement can have left behind is refused."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from optbench.core.errors import UsageError
from optbench.core.tables import are_numbers, failing, is_count, is_positive
from optbench.cost.cost import Cost, read_cost

# The keys of a fingerprint that tables show.
PLACE = (
    "torch", "device", "cpu", "cpu_capability", "libraries", "threads", "devices", "precision",
    "data_sha256",
)  # fmt: skip


def measured_cost(path: Path) -> Cost:
    """The cost of an optimizer's step.

    Raises:
        UsageError: the file is missing, damaged, or holds what cannot be.
    """
    cost = read_cost(path)
    if fields := wrong_cost(cost):
        shown = ", ".join(f"{name} {getattr(cost, name)!r}" for name in fields)
        raise UsageError(f"{path} has what cannot be, {shown}: `dvc repro` measures it again")
    return cost


def wrong_cost(cost: Cost) -> Sequence[str]:
    """The fields of a cost that cannot be."""
    positive = (
        "step_time_s", "sgd_step_time_s", "step_time_ratio", "step_time_ratio_q1",
        "step_time_ratio_q3",
    )  # fmt: skip
    fingerprint, kinds = cost.fingerprint, cost.ratio_by_kind
    return failing(
        **{
            name: getattr(cost, name) is not None and is_positive(getattr(cost, name))
            for name in positive
        },
        pairs=is_count(cost.pairs),
        ratio_by_kind=are_numbers(kinds) and len(kinds) > 0 and min(kinds.values()) > 0,
        steps_per_epoch=is_count(cost.steps_per_epoch),
        optimizer_state_bytes=is_count(cost.optimizer_state_bytes, at_least=0),
        peak_memory_bytes=is_count(cost.peak_memory_bytes),
        fingerprint=isinstance(fingerprint, Mapping)
        and all(isinstance(fingerprint.get(name), str | int) for name in PLACE)
        and is_count(fingerprint["threads"])
        and bool(re.fullmatch(r"[1-9]\d{0,3}", str(fingerprint["devices"]))),
    )
