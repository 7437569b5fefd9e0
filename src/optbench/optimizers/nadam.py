"""NAdam (Dozat 2016, "Incorporating Nesterov Momentum into Adam") with decoupled decay, torch's.

torch departs from the paper in its decay: it is decoupled here, as AdamW's.
"""

from typing import Annotated, Any

from annotated_types import Ge
from torch import nn, optim

FAMILY = "adaptive"
WEIGHT_DECAY = "decoupled"
# torch's.
UNTUNED = {"lr": 0.002, "weight_decay": 0.0}


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    momentum_decay: Annotated[float, Ge(0)] = 4e-3,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step shrinks the weights by lr x weight_decay.

    beta1 warms up: at step t it is betas[0] x (1 - 0.96^(t x momentum_decay) / 2).
    """
    return optim.NAdam(
        param_groups,
        lr=lr,
        betas=betas,
        eps=eps,
        momentum_decay=momentum_decay,
        weight_decay=weight_decay,
        decoupled_weight_decay=True,
        foreach=True,
    )
