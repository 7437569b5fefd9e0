"""RAdam (Liu et al. 2020, arXiv 1908.03265) with L2 weight decay, torch.optim's.

torch departs from the paper twice: it rectifies where rho_t > 5 (the paper: 4), and adds eps to
sqrt(v) before the bias correction.
"""

from typing import Any

from torch import nn, optim

FAMILY = "adaptive"
WEIGHT_DECAY = "L2"
# torch's.
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
    return optim.RAdam(
        param_groups, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=True
    )
