"""Adam (Kingma and Ba 2015, arXiv 1412.6980) with L2 weight decay, torch.optim's."""

from typing import Any

from torch import nn, optim

FAMILY = "adaptive"
WEIGHT_DECAY = "L2"
# Kingma and Ba 2015.
UNTUNED = {"lr": 0.001, "weight_decay": 0.0}


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """`weight_decay` is L2: it joins the gradient, before the division by sqrt(v)."""
    return optim.Adam(
        param_groups, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )
