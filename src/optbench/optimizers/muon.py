"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): orthogonalised momentum.

Hidden matrices, and convolutions' kernels as matrices [out, in x kh x kw], move along the nearest
semi-orthogonal matrix to their Nesterov momentum, found by five steps of a Newton-Schulz iteration.
Embeddings, heads and vectors get AdamW, at lr x `adamw_lr_ratio`.

The scale of an update is that of Moonlight (Liu et al. 2025, arXiv 2502.16982, 2.2):
0.2 sqrt(max(rows, columns)), which gives it about the root mean square of AdamW's updates, and so
the same lr and weight decay suit both. Jordan's is sqrt(max(1, rows / columns)), at an lr of its
own. Departures: momentum is an average, which changes its length alone; the iteration computes in
the parameters' precision, Jordan's in bfloat16, and starts from the momentum over its norm,
whatever that is, Jordan's over norm + 1e-7.

Written here, since torch's refuses kernels, and pytorch-optimizer's iterates in bfloat16 on a CPU
too.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn, optim
from torch.optim.adamw import adamw

from optbench.core import roles

FAMILY = "matrix"
WEIGHT_DECAY = "decoupled"
# With this scale of updates, AdamW's lr (Liu et al. 2025, arXiv 2502.16982), and their decay.
UNTUNED = {"lr": 0.001, "weight_decay": 0.1}
# Jordan's: they lift small singular values fast, and leave all between about 0.7 and 1.2.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
Fraction = Annotated[float, Ge(0), Lt(1)]


class Muon(optim.Optimizer):
    """Muon for groups of hidden matrices, AdamW for all others."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """One update; returns the loss before it."""
        with torch.enable_grad():
            loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["role"] != roles.HIDDEN:
                self._step_adamw(group, parameters)
                continue
            for p in parameters:
                self._step_muon(group, p, p.grad)
        return loss

    def _step_muon(self, group: Mapping[str, Any], p: Tensor, gradient: Tensor) -> None:
        """Decay, momentum and the orthogonalised step of a matrix or kernel."""
        state = self.state[p]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(p)
        average = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        nesterov = gradient.lerp(average, group["momentum"])
        matrix = nesterov.flatten(1)  # [out, in*kh*kw]
        update = orthogonalised(matrix, group["ns_steps"]).reshape(p.shape)
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.add_(update, alpha=-group["lr"] * update_scale(matrix))

    def _step_adamw(self, group: Mapping[str, Any], parameters: list[Tensor]) -> None:
        """torch's AdamW."""
        for p in parameters:
            if not self.state[p]:
                self.state[p].update(
                    step=torch.zeros(()),
                    exp_avg=torch.zeros_like(p),
                    exp_avg_sq=torch.zeros_like(p),
                )
        states = [self.state[p] for p in parameters]
        beta1, beta2 = group["betas"]
        adamw(
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            foreach=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonalised(matrix: Tensor, steps: int) -> Tensor:
    """About U V^T of a matrix [m, n] = U S V^T: its singular values are near 1.

    A matrix of zeros stays one.
    """
    a, b, c = NEWTON_SCHULZ
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if is_tall else matrix  # the product x x^T is the smaller of the two
    x = x / x.norm().clamp_min(torch.finfo(x.dtype).tiny)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x


def update_scale(matrix: Tensor) -> float:
    """What an orthogonalised matrix [m, n] is multiplied by, beside lr."""
    return 0.2 * math.sqrt(max(matrix.shape))


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    momentum: float = 0.95,
    weight_decay: float = 0.0,
    ns_steps: Annotated[int, Gt(0)] = 5,
    adamw_lr_ratio: Annotated[float, Gt(0)] = 1.0,
    adamw_betas: tuple[Fraction, Fraction] = (0.9, 0.999),
    adamw_eps: Annotated[float, Gt(0)] = 1e-8,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step shrinks the weights by their lr x weight_decay.

    The lr of AdamW's groups is lr x `adamw_lr_ratio`. Schedules move both; one that moves momentum
    moves AdamW's beta1 too.
    """
    hidden = {"momentum": momentum, "ns_steps": ns_steps}
    rest = {"lr": lr * adamw_lr_ratio, "betas": adamw_betas, "eps": adamw_eps}
    groups = [{**group, **(hidden if group["role"] == roles.HIDDEN else rest)}
              for group in param_groups]  # fmt: skip
    return Muon(groups, {"lr": lr, "weight_decay": weight_decay})
