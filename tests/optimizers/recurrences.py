"""A noisy quadratic in float64 whose lr changes with each step, for recurrences from papers."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from optbench.core import roles

STEPS = 10
DECAY = 0.1
RNG = np.random.default_rng(0)
SHAPES = {
    "square": (4, 4), "wide": (3, 5), "tall": (6, 2), "kernel": (4, 3, 2, 2), "head": (5, 3),
    "vector": (7,),
}  # fmt: skip
START = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
NOISE = {name: RNG.normal(size=(STEPS, *shape)) for name, shape in SHAPES.items()}
FACTORS = np.sin(np.linspace(0.5, 2.8, STEPS))  # of lr: it rises, and falls
ROLES = {"head": roles.HEAD, "vector": roles.VECTOR}

Arrays = dict[str, np.ndarray]


def gradient(name: str, x: np.ndarray, t: int) -> np.ndarray:
    """At step t = 1, 2, ..."""
    return 3 * x + NOISE[name][t - 1]


def train(build: Callable, *names: str, lr: float, **args) -> Arrays:
    """Where the named tensors are after all steps."""
    parameters = {name: nn.Parameter(torch.tensor(START[name])) for name in names}
    groups = [{"params": [p], "role": ROLES.get(name, roles.HIDDEN)}
              for name, p in parameters.items()]  # fmt: skip
    optimizer = build(nn.ParameterDict(parameters), groups, lr=lr, weight_decay=DECAY, **args)
    peaks = [group["lr"] for group in optimizer.param_groups]

    def closure() -> torch.Tensor:
        for name, p in parameters.items():
            p.grad = torch.tensor(gradient(name, p.detach().numpy(), t))
        return torch.zeros(())

    for t in range(1, STEPS + 1):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * FACTORS[t - 1]
        optimizer.step(closure)
    if hasattr(optimizer, "before_evaluation"):
        optimizer.before_evaluation()
    return {name: p.detach().numpy().copy() for name, p in parameters.items()}


def along(tensor: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """A tensor multiplied by a matrix [n, n] along one of its sides."""
    return np.moveaxis(np.tensordot(matrix, tensor, axes=(1, side)), 0, side)


def second_moment(tensor: np.ndarray, side: int) -> np.ndarray:
    """The sum of the outer products of a tensor's fibres along a side."""
    rest = [axis for axis in range(tensor.ndim) if axis != side]
    return np.tensordot(tensor, tensor, axes=(rest, rest))


def reference_adamw(
    name: str, *, lr: float, eps: float = 1e-8, betas: tuple = (0.9, 0.999)
) -> np.ndarray:
    """Loshchilov and Hutter 2019, algorithm 2."""
    x, m, v = START[name].copy(), 0.0, 0.0
    b1, b2 = betas
    for t in range(1, STEPS + 1):
        rate, g = lr * FACTORS[t - 1], gradient(name, x, t)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        x = x * (1 - rate * DECAY)
        x = x - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return x
