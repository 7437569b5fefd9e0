"""LAMB (You et al. 2020, arXiv 1904.00962, algorithm 2), pytorch-optimizer's.

Departure: Adam's averages are not debiased, as in the third version of the paper. phi is the
identity, as in the authors' experiments.
"""

import math
from typing import Any

import pytorch_optimizer
from torch import nn, optim

FAMILY = "adaptive"
WEIGHT_DECAY = "decoupled"
# pytorch-optimizer's.
UNTUNED = {"lr": 0.001, "weight_decay": 0.0}


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """`weight_decay` joins Adam's update u, and what it pulls is scaled with u.

    A tensor w moves by lr x |w| along (u + weight_decay x w) / |u + weight_decay x w|.
    """
    optimizer = pytorch_optimizer.Lamb(
        param_groups,
        lr=lr,
        betas=betas,
        eps=eps,
        weight_decay=weight_decay,
        weight_decouple=False,
        adam_debias=True,  # else lr is divided by 1 - beta1^t, after |u| has been divided out
    )
    optimizer.clamp = math.inf  # the bound that the library puts on |w|: 10
    return optimizer
