"""The shell of a second-order optimizer: all but the direction.

Each step shrinks the parameters (decoupled weight decay, Loshchilov and Hutter 2019), clips the
preconditioned gradient v by its predicted change (Ba, Grosse and Martens 2017, "Distributed
second-order optimization using Kronecker-factored approximations"), and puts momentum on what is
left.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from optbench.core.errors import UsageError
from optbench.core.objective import Objective
from optbench.curvature.fisher import LIKELIHOODS


class Preconditioned(Optimizer):
    """Descends along `direction(objective)`; all its state is in `state_dict`."""

    def __init__(
        self,
        param_groups: Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        kl_clip: float,
    ) -> None:
        """`kl_clip`: the bound on lr^2 v.g, which is about twice the step's KL divergence."""
        super().__init__(
            list(param_groups), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        )
        self.kl_clip = kl_clip
        self.steps = 0
        self.clip_factor = 1.0
        self.clipped_steps = 0
        # Labels are drawn from a separate stream, so that nobody else's draws change it.
        self.generator = torch.Generator().manual_seed(torch.initial_seed())

    @abstractmethod
    def direction(self, objective: Objective) -> Mapping[Tensor, Tensor]:
        """The preconditioned gradient of the parameters it is defined for.

        Called after the gradient is in the parameters; all others descend along their gradient.
        """

    def counters(self) -> dict[str, float]:
        """What a state_dict holds beside tensors."""
        clipping = {"clip_factor": self.clip_factor, "clipped_steps": self.clipped_steps}
        return {"steps": self.steps, **clipping}

    def set_counters(self, counters: Mapping[str, float]) -> None:
        """The inverse of `counters`."""
        self.steps = int(counters["steps"])
        self.clipped_steps = int(counters["clipped_steps"])
        self.clip_factor = counters["clip_factor"]

    @torch.no_grad()
    def step(self, closure: Objective) -> Tensor:  # type: ignore[override]
        """One update; returns the loss before it.

        Raises:
            UsageError: the Fisher matrix of the task's likelihood is not known here.
        """
        if closure.likelihood not in LIKELIHOODS:
            raise UsageError(
                f"{type(self).__name__} knows the Fisher matrix of {', '.join(LIKELIHOODS)} "
                f"outputs, and the task's are {closure.likelihood}: choose a first-order optimizer"
            )
        with torch.enable_grad():
            loss = closure()
        directions = self.direction(closure)
        self.clip_factor = self._clip(directions)
        self.clipped_steps += self.clip_factor < 1
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._descend(group, parameters, directions)
        self.steps += 1
        return loss

    def _clip(self, directions: Mapping[Tensor, Tensor]) -> float:
        """min(1, sqrt(kl_clip / (lr^2 v.g))); 1 where v.g is not positive."""
        lr = self.param_groups[0]["lr"]
        product = sum(
            (torch.sum(v * p.grad) for p, v in directions.items() if p.grad is not None),
            start=torch.zeros(()),
        )
        predicted = lr**2 * float(product)
        return min(1.0, (self.kl_clip / predicted) ** 0.5) if predicted > 0 else 1.0

    def _descend(
        self,
        group: Mapping[str, Any],
        parameters: list[Tensor],
        directions: Mapping[Tensor, Tensor],
    ) -> None:
        """Decay, momentum and the step itself, for one parameter group."""
        for p in parameters:
            if "momentum_buffer" not in self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum_buffer"] for p in parameters]
        moves = [self._move(p, directions) for p in parameters]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, moves)
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, buffers, alpha=-group["lr"])

    def _move(self, p: Tensor, directions: Mapping[Tensor, Tensor]) -> Tensor:
        """The clipped direction, or the plain gradient where there is none."""
        if p in directions:
            return directions[p] * self.clip_factor
        assert p.grad is not None
        return p.grad

    def state_dict(self) -> dict[str, Any]:
        """As torch's, with the generator and the counters."""
        extra = {"generator": self.generator.get_state(), "counters": self.counters()}
        return {**super().state_dict(), "second_order": extra}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`, to the bit."""
        rest = dict(state_dict)
        extra = rest.pop("second_order")
        super().load_state_dict(rest)
        self.generator.set_state(extra["generator"])
        self.set_counters(extra["counters"])
