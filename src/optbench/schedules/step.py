"""Step decay: the learning rate is multiplied by gamma at each milestone (He et al. 2016)."""


def factor(
    step: int,
    total_steps: int,
    *,
    milestones: tuple[float, ...] = (0.5, 0.75),
    gamma: float = 0.1,
) -> tuple[float, None]:
    """The learning rate's factor at 0 <= step < total_steps; momentum stays as it is.

    `milestones` are fractions of the steps: a drop happens at step >= round(m * total_steps).
    """
    drops = sum(step >= round(milestone * total_steps) for milestone in milestones)
    return gamma**drops, None
