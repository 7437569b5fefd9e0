"""Cosine annealing behind a linear warm-up, as transformers are commonly trained.

Warm-up is what all schedules may have; the post's `cosine` has none, and this one 5 % of the steps.
"""

from optbench.schedules import cosine

WARMUP_FRACTION = 0.05


def factor(step: int, total_steps: int, *, final_factor: float = 0.0) -> tuple[float, None]:
    """The learning rate's factor at step 0 <= step < total_steps behind warm-up, `cosine`'s."""
    return cosine.factor(step, total_steps, final_factor=final_factor)
