"""Warm-up, stable, decay (Hu et al. 2024, arXiv 2404.06395), with a linear decay.

A linear decay over a fifth of the steps is level with cosine annealing (Haegele et al. 2024,
arXiv 2405.18392); Hu et al. decay exponentially.
"""

from typing import Annotated

from annotated_types import Gt, Le

WARMUP_FRACTION = 0.05


def factor(
    step: int,
    total_steps: int,
    *,
    decay_fraction: Annotated[float, Gt(0), Le(1)] = 0.2,
    final_factor: float = 0.0,
) -> tuple[float, None]:
    """The learning rate's factor at step 0 <= step < total_steps behind warm-up.

    `decay_fraction` is the share of these steps in which it decays, the last of them.
    """
    progress = max(0.0, 1 - (total_steps - step) / (decay_fraction * total_steps))
    return (1 - progress) + final_factor * progress, None
