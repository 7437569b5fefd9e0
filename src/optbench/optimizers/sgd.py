"""SGD with (Nesterov) momentum and L2 weight decay (Sutskever et al. 2013), torch.optim's."""

from typing import Any

from torch import nn, optim

FAMILY = "momentum"
WEIGHT_DECAY = "L2"
# Of PyTorch's example of ImageNet, after He et al. 2016 (arXiv 1512.03385).
UNTUNED = {"lr": 0.1, "weight_decay": 0.0001}
# The first, where it is true, needs the second above 0.
REQUIRES = {"nesterov": "momentum"}


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """`weight_decay` is L2: it joins the gradient, so its pull is lr x weight_decay."""
    return optim.SGD(
        param_groups,
        lr=lr,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay,
        fused=True,
    )
