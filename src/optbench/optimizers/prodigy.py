"""Prodigy (Mishchenko and Defazio 2024, arXiv 2306.06101, algorithm 4), pytorch-optimizer's.

Adam whose step size is lr x d: d, an estimate of the distance to the solution, grows from 1e-6.
As in the authors' code, eps is multiplied by the new d, in the paper by the old one.
"""

import math
from typing import Annotated, Any

import pytorch_optimizer
from annotated_types import Gt
from torch import nn, optim

FAMILY = "self-tuning"
WEIGHT_DECAY = "decoupled"
# Of the authors' code.
UNTUNED = {"lr": 1.0, "d_coef": 1.0, "weight_decay": 0.0}


class Prodigy(pytorch_optimizer.Prodigy):
    """Tells its d."""

    def diagnostics(self) -> dict[str, float]:
        """The estimate of the distance, by which lr is multiplied."""
        return {"d": self.param_groups[0]["d"]}


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    d_coef: Annotated[float, Gt(0)] = 1.0,
    growth_rate: Annotated[float, Gt(1)] | None = None,
    safeguard_warmup: bool = False,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step shrinks the weights by lr x d x weight_decay.

    `lr` is one for all groups, that of the first. `d_coef` multiplies the estimate; d grows by
    `growth_rate` a step at most, None: without a bound. `safeguard_warmup` leaves lr out of the
    estimate's denominator, for schedules that warm up.
    """
    return Prodigy(
        param_groups,
        lr=lr,
        betas=betas,
        eps=eps,
        weight_decay=weight_decay,
        d_coef=d_coef,
        growth_rate=math.inf if growth_rate is None else growth_rate,
        safeguard_warmup=safeguard_warmup,
    )
