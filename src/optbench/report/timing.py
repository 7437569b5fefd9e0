"""How long the training took whose results are there, from the log that nothing depends on."""

import json
from collections.abc import Sequence
from pathlib import Path

from optbench.core.records import Epoch


def training_s(log: Path, history: Sequence[Epoch]) -> float | None:
    """Seconds; None where the log is not that of this history, as after results were restored.

    An epoch that was trained again after a kill counts once.
    """
    if not log.is_file():
        return None
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    last = {line["epoch"]: line for line in lines}
    losses = [last[epoch]["heldout_loss"] for epoch in sorted(last)]
    if losses != [epoch.heldout_loss for epoch in history]:
        return None
    return sum(float(line["time_s"]) for line in last.values())
