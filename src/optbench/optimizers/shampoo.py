"""Shampoo (Gupta, Koren and Singer 2018, arXiv 1802.09568, algorithm 2), grafted onto Adam.

A tensor's gradient is multiplied, along each of its k sides, by the inverse 2k-th root of that
side's second moment: a matrix [m, n] has factors [m, m] and [n, n], a kernel [out, in, kh, kw] has
four. Departures: as in Distributed Shampoo (Shi et al. 2023, arXiv 2309.06497), second moments are
debiased averages in place of sums, the gradient's average is preconditioned, and an update has the
norm of Adam's for the same tensor, so that lr is Adam's. Vectors get Adam. A side larger than
`max_precondition_dim` has no factor, and k counts those that have.

Written here, since pytorch-optimizer's `Shampoo` averages gradients with updates, moves nothing
before its first roots, and puts no bound on a factor's size; the state of its `ScalableShampoo`
cannot be kept in a checkpoint.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
from annotated_types import Gt
from torch import Tensor, nn, optim

FAMILY = "matrix"
WEIGHT_DECAY = "decoupled"
FLOOR = 1e-30  # keeps the root of a factor of zeros finite


class Shampoo(optim.Optimizer):
    """Shampoo for tensors of two sides and more, Adam for vectors."""

    @property
    def period(self) -> int:
        """After how many steps the kinds of steps come round."""
        return int(self.param_groups[0]["precondition_frequency"])

    @property
    def steps(self) -> int:
        """Steps done."""
        return int(next((state["step"] for state in self.state.values()), 0))

    @steps.setter
    def steps(self, count: int) -> None:
        for state in self.state.values():
            state["step"] = count

    def kind(self, step: int) -> str:
        """Whether roots are taken in a step, counted from 0."""
        return "plain" if step % self.period else "roots"

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """One update; returns the loss before it."""
        with torch.enable_grad():
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    update = self._update(group, p, p.grad)
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.sub_(update, alpha=group["lr"])
        return loss

    def _update(self, group: Mapping[str, Any], p: Tensor, gradient: Tensor) -> Tensor:
        """What is subtracted from a parameter, before lr; moves its averages."""
        state = self.state[p]
        if not state:
            state.update(initial_state(p, group["max_precondition_dim"]))
        beta1, beta2 = group["betas"]
        state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].lerp_(gradient.square(), 1 - beta2)
        for side, factor in enumerate(state["factors"]):
            if factor is not None:
                factor.lerp_(second_moment(gradient, side), 1 - beta2)
        state["step"] += 1
        debias1, debias2 = (1 - beta ** state["step"] for beta in (beta1, beta2))
        average: Tensor = state["exp_avg"] / debias1
        adam: Tensor = average / ((state["exp_avg_sq"] / debias2).sqrt() + group["eps"])
        if not any(factor is not None for factor in state["factors"]):
            return adam
        if state["step"] % group["precondition_frequency"] == 1 % group["precondition_frequency"]:
            factors = [None if f is None else f / debias2 for f in state["factors"]]
            state["roots"] = inverse_roots(factors, group["matrix_eps"])
        update = preconditioned(average, state["roots"])
        update *= adam.norm() / update.norm().clamp_min(FLOOR)
        return update


def initial_state(p: Tensor, max_precondition_dim: int) -> dict[str, Any]:
    """A parameter's averages before the first step; `factors` has one for each side, or None."""
    sides = p.shape if p.ndim > 1 else ()
    factors = [p.new_zeros(n, n) if n <= max_precondition_dim else None for n in sides]
    averages = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
    return {"step": 0, **averages, "factors": factors}


def second_moment(gradient: Tensor, side: int) -> Tensor:
    """G G^T of a gradient as the matrix G [n, rest], where n is that side's length."""
    matrix = gradient.movedim(side, 0).flatten(1)  # [n, rest]
    return matrix @ matrix.T


def inverse_roots(factors: list[Tensor | None], matrix_eps: float) -> list[Tensor | None]:
    """(F + matrix_eps |F|)^(-1/2k) of each of the k factors F [n, n], |F| its largest eigenvalue.

    Where a factor is not finite, the roots are NaN: the run has diverged, and its loss says so.
    """
    present = [factor for factor in factors if factor is not None]
    if not all(torch.isfinite(factor).all() for factor in present):
        return [None if f is None else torch.full_like(f, torch.nan) for f in factors]
    exponent = -1 / (2 * len(present))
    roots: list[Tensor | None] = []
    for factor in factors:
        if factor is None:
            roots.append(None)
            continue
        values, vectors = torch.linalg.eigh(factor)
        values = values.clamp_min(0) + matrix_eps * values.max().clamp_min(FLOOR)
        roots.append(vectors * values**exponent @ vectors.T)
    return roots


def preconditioned(tensor: Tensor, roots: list[Tensor | None]) -> Tensor:
    """A tensor multiplied by a symmetric matrix along each side, or by nothing where it is None."""
    for root in roots:  # takes the first side, and puts it last
        if root is None:
            tensor = tensor.movedim(0, -1)
        else:
            tensor = torch.tensordot(tensor, root, dims=([0], [0]))
    return tensor


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    matrix_eps: Annotated[float, Gt(0)] = 1e-6,
    precondition_frequency: Annotated[int, Gt(0)] = 10,
    max_precondition_dim: Annotated[int, Gt(0)] = 2048,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step shrinks the weights by lr x weight_decay.

    Roots are taken at the first step and every `precondition_frequency` steps from there, by an
    eigendecomposition of each factor; `matrix_eps` is added to a factor, relative to its largest
    eigenvalue. `max_precondition_dim` bounds what a root costs, which grows with its cube.
    """
    defaults = {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "matrix_eps": matrix_eps,
        "precondition_frequency": precondition_frequency,
        "max_precondition_dim": max_precondition_dim,
    }
    return Shampoo(param_groups, defaults)
