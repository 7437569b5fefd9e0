"""A constant learning rate behind a linear warm-up, for optimizers that need no schedule."""

WARMUP_FRACTION = 0.05


def factor(step: int, total_steps: int) -> tuple[float, None]:
    """The learning rate's factor at step 0 <= step < total_steps behind warm-up: 1."""
    return 1.0, None
