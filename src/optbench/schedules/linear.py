"""Linear decay behind a linear warm-up (Defazio et al. 2023, arXiv 2310.07831)."""

WARMUP_FRACTION = 0.05


def factor(step: int, total_steps: int, *, final_factor: float = 0.0) -> tuple[float, None]:
    """The learning rate's factor at step 0 <= step < total_steps behind warm-up.

    As `cosine`, it ends a step before `final_factor`.
    """
    progress = step / total_steps
    return (1 - progress) + final_factor * progress, None
