"""Schedule-free AdamW (Defazio et al. 2024, arXiv 2405.15682, algorithm 1), pytorch-optimizer's.

Gradients are taken at y = (1 - beta1) z + beta1 x, where z makes AdamW's steps and x is the average
of all z, weighted by the squares of the largest lr so far. The parameters hold y in training, and
x while they are judged. Meant for a constant lr, with warm-up.

Departures, the first the authors' code's: v is debiased in the denominator, the paper debiases
lr; 1e-15 is added to v.
"""

from typing import Annotated, Any

import pytorch_optimizer
import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn, optim

FAMILY = "self-tuning"
WEIGHT_DECAY = "decoupled"
# Of the authors' code.
UNTUNED = {"lr": 0.0025, "weight_decay": 0.0}
REFUSES = {
    "one_cycle": "schedule_free finds its averaged weights by beta1, which one_cycle moves: "
    "choose a schedule that moves the learning rate alone"
}


class ScheduleFree(pytorch_optimizer.ScheduleFreeAdamW):
    """Is judged by its averaged weights."""

    weights: list[tuple[Tensor, Tensor]]

    @torch.no_grad()
    def before_evaluation(self) -> None:
        """Puts x in place of y."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        self.weights = [(p, p.clone()) for p in parameters]
        self.eval()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def after_evaluation(self) -> None:
        """Puts y back, to the bit: computed from x, it would be rounded."""
        self.train()  # type: ignore[no-untyped-call]
        for p, y in self.weights:
            p.copy_(y)
        self.weights = []


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float = 0.0025,
    betas: tuple[Annotated[float, Gt(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step pulls z by lr x weight_decay towards 0, from y."""
    return ScheduleFree(param_groups, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
