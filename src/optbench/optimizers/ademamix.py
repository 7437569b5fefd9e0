"""AdEMAMix (Pagliardini et al. 2024, arXiv 2409.03137, algorithm 1), pytorch-optimizer's.

AdamW with a second, slow average of the gradient beside the fast one, which is not debiased.
"""

from typing import Annotated, Any

import pytorch_optimizer
from annotated_types import Ge, Gt, Lt
from torch import nn, optim

FAMILY = "adaptive"
WEIGHT_DECAY = "decoupled"
# Of the authors' code.
UNTUNED = {"lr": 0.001, "weight_decay": 0.0}
# Above 0, since the warm-up takes its logarithm.
Beta = Annotated[float, Gt(0), Lt(1)]


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    betas: tuple[Beta, Beta, Beta] = (0.9, 0.999, 0.9999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    alpha: Annotated[float, Ge(0)] = 5.0,
    t_alpha_beta3: Annotated[int, Gt(0)] | None = None,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step shrinks the weights by lr x weight_decay.

    `betas`: of the fast average, of the squares, of the slow average. `alpha`: the weight of the
    slow one. In the first `t_alpha_beta3` steps, alpha rises from 0, and the slow decay from the
    fast one; the authors warm up through the whole run. None: no warm-up.
    """
    return pytorch_optimizer.AdEMAMix(
        param_groups,
        lr=lr,
        betas=betas,
        eps=eps,
        weight_decay=weight_decay,
        weight_decouple=True,
        alpha=alpha,
        t_alpha_beta3=t_alpha_beta3,
    )
