"""AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101): decoupled decay, torch.optim's."""

from typing import Any

from torch import nn, optim

FAMILY = "adaptive"
WEIGHT_DECAY = "decoupled"
# torch's; the paper has none.
UNTUNED = {"lr": 0.001, "weight_decay": 0.01}


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step shrinks the weights by lr x weight_decay."""
    return optim.AdamW(
        param_groups, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )
