"""The one-cycle policy (Smith and Topin 2018, arXiv 1708.07120), with cosine ramps.

The learning rate rises from peak / div_factor to its peak and falls to a tiny value, while momentum
(beta1 for Adam's family) does the inverse. Adam's bias correction still assumes a constant beta1,
here as in torch: the same for every optimizer of the family.
"""

import math
from typing import Annotated

from annotated_types import Ge, Gt, Lt

MOVES_MOMENTUM = True


def factor(
    step: int,
    total_steps: int,
    *,
    pct_start: Annotated[float, Gt(0), Lt(1)] = 0.3,
    div_factor: Annotated[float, Ge(1)] = 25.0,
    final_div_factor: Annotated[float, Ge(1)] = 1e4,
    max_momentum: Annotated[float, Ge(0), Lt(1)] = 0.95,
    min_momentum: Annotated[float, Ge(0), Lt(1)] = 0.85,
) -> tuple[float, float]:
    """The learning rate's factor (1 at the peak) and the momentum at 0 <= step < total_steps.

    As torch's OneCycleLR: the peak is at step pct_start * total_steps - 1, the end at
    total_steps - 1.
    """
    initial, final = 1 / div_factor, 1 / (div_factor * final_div_factor)
    peak_step, last_step = pct_start * total_steps - 1, total_steps - 1
    if step < peak_step:
        progress = step / peak_step
        return (
            anneal(initial, 1.0, progress),
            anneal(max_momentum, min_momentum, progress),
        )
    progress = (step - peak_step) / (last_step - peak_step)
    return anneal(1.0, final, progress), anneal(min_momentum, max_momentum, progress)


def anneal(start: float, end: float, progress: float) -> float:
    """From start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
