"""The runs of a study: points of its space and seeds that no other study has."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import qmc

from optbench.core.run import Run
from optbench.core.space import at
from optbench.core.study import Study

SEEDS = 5  # of runs that repeat a winner
REPEATED_FROM = 1_000_000  # their seeds; those of trials are below


def trials(study: Study, number: int) -> list[Run]:
    """The trials of the study of that number, in order.

    Their points are scrambled Halton points, their seeds follow those of the study before.
    """
    return [
        replace(
            study.run,
            seed=number * study.trials + index,
            optimizer_args={**study.run.optimizer_args, **at(study.space, point)},
        )
        for index, point in enumerate(points(study, number))
    ]


def points(study: Study, number: int) -> Sequence[Sequence[float]]:
    """Of the unit cube, [trials, dimensions of the space]."""
    if not study.space:
        return [()] * study.trials
    generator = np.random.default_rng([number, *study.arm.key.encode()])
    sequence = qmc.Halton(len(study.space), rng=generator)
    drawn: list[list[float]] = sequence.random(study.trials).tolist()
    return drawn


def repeats(winner: Run, number: int) -> list[Run]:
    """The winner of the study of that number with more seeds."""
    first = REPEATED_FROM + number * SEEDS
    return [replace(winner, seed=first + index) for index in range(SEEDS)]
