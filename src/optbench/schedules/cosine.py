"""Cosine annealing without restarts (Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5)."""

import math


def factor(step: int, total_steps: int, *, final_factor: float = 0.0) -> tuple[float, None]:
    """The learning rate's factor at step 0 <= step < total_steps; momentum stays as it is.

    As torch's CosineAnnealingLR: the last step has progress (total_steps - 1) / total_steps.
    """
    progress = step / total_steps
    return final_factor + (1 - final_factor) * (1 + math.cos(math.pi * progress)) / 2, None
