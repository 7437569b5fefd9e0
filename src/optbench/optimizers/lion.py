"""Lion (Chen et al. 2023, arXiv 2302.06675, algorithm 2), pytorch-optimizer's."""

from typing import Any

import pytorch_optimizer
from torch import nn, optim

FAMILY = "momentum"
WEIGHT_DECAY = "decoupled"
# Of the authors' code.
UNTUNED = {"lr": 0.0001, "weight_decay": 0.0}


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step shrinks the weights by lr x weight_decay.

    Every weight moves by lr: the authors take a tenth to a third of AdamW's, and as many times its
    weight decay.
    """
    return pytorch_optimizer.Lion(param_groups, lr=lr, betas=betas, weight_decay=weight_decay)
