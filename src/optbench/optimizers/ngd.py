"""Natural gradient descent (Amari 1998), with the true Fisher matrix of a part of the batch.

v solves (F + damping I) v = g, where g is the whole batch's gradient and F the Fisher matrix of the
model's predictive distribution on `curvature_batch` examples, over all parameters at once. A
network has more parameters than the batch has rows, so the solve is done in sample space (Ren and
Goldfarb 2019, arXiv 1906.02353); `dense` forms F itself.

An example has a Jacobian of its own only if BatchNorm does not mix examples: in F, not in g, its
statistics are constants, those of the same examples.

A transformer is refused: an example's rows need its Jacobian in LayerNorm and Embedding, for which
there are no formulas here. A step would be dear, too: see docs/second_order.md.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from optbench.core.errors import NumericalError, UsageError
from optbench.core.objective import Objective
from optbench.curvature import fisher, jacobian
from optbench.curvature.jacobian import Block, Solution
from optbench.curvature.preconditioned import Preconditioned
from optbench.curvature.record import frozen_statistics, record

FAMILY = "matrix"
WEIGHT_DECAY = "decoupled"
LIKELIHOODS = ("categorical",)  # of which the Fisher matrix is known
ONE_DEVICE = "it solves a system with a row for each example and class, of which a device has some"
LAYERS = ("BatchNorm1d", "BatchNorm2d", "Conv2d", "Linear")  # of which the Jacobian is known
REFINE_ABOVE = 1e-4  # relative residual at which a solution is refined
REFUSE_ABOVE = 1e-3  # relative residual at which it is an error


class NaturalGradient(Preconditioned):
    """Natural gradient for networks of Linear, Conv2d and BatchNorm layers."""

    def __init__(
        self,
        model: nn.Module,
        param_groups: list[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        damping: float = 0.1,
        kl_clip: Annotated[float, Gt(0)] = 1e-2,
        curvature_batch: Annotated[int, Gt(1)] = 128,
        max_rows: Annotated[int, Gt(0)] = 128,
        solve: Literal["dual", "dense"] = "dual",
    ) -> None:
        """Finds the layers.

        Args:
            model: the bare network, whose parameters `param_groups` hold.
            param_groups: as torch.optim takes them.
            lr: step size.
            momentum: of the natural, clipped gradient.
            weight_decay: decoupled: each step shrinks the weights by lr x weight_decay.
            damping: added to F's diagonal.
            kl_clip: bound on lr^2 v.g.
            curvature_batch: the first examples of each batch, on which F is taken.
            max_rows: if examples x classes is at most this, F is exact; else labels are drawn from
                the model, max_rows / examples times (at least once).
            solve: `dual`: in sample space; `dense`: with F itself, for some thousand parameters.

        Raises:
            UsageError: some parameters belong to a layer whose Jacobian is not known here.
        """
        super().__init__(
            param_groups, lr=lr, momentum=momentum, weight_decay=weight_decay, kl_clip=kl_clip
        )
        self.model, self.layers = model, jacobian.whole_network(model)
        self.damping, self.solve = damping, solve
        self.curvature_batch, self.max_rows = curvature_batch, max_rows
        self.residual = 0.0

    def direction(self, objective: Objective) -> dict[Tensor, Tensor]:
        """The natural gradient of every parameter.

        Raises:
            NumericalError: the relative residual of the solve stays above 1e-3.
            UsageError: the network's outputs are not logits [n, classes].
        """
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        if not all(torch.isfinite(g).all() for g in gradients):
            return {}  # the run has diverged, and its loss says so
        inputs = objective.inputs[: self.curvature_batch]
        with frozen_statistics(self.model, objective.forward, inputs):
            taken = record(self.model, objective.forward, inputs, self.layers)
            blocks = jacobian.blocks(self.layers, taken, self.logit_rows(taken.logits))
        solution = self.solution(blocks)
        self.residual = solution.relative_residual
        if not self.residual <= REFUSE_ABOVE:
            raise NumericalError(
                f"natural gradient: the relative residual is {self.residual:.1e} at step "
                f"{self.steps + 1}, above {REFUSE_ABOVE:g}: raise damping, now {self.damping:g}"
            )
        directions: dict[Tensor, Tensor] = {}
        for block, vector in zip(blocks, solution.vectors, strict=True):
            directions |= jacobian.split(block.layer, vector)
        return directions

    def logit_rows(self, logits: Tensor) -> list[Tensor]:
        """Gradients [n, classes] in the logits: exact where that is few rows, else sampled.

        Raises:
            UsageError: an example has more than one loss.
        """
        if logits.ndim != 2:
            raise UsageError(
                f"natural gradient takes logits [n, classes], got {list(logits.shape)}: choose "
                "K-FAC, or a first-order optimizer, for losses of tokens"
            )
        n, classes = logits.shape
        if n * classes <= self.max_rows:
            return [row / n**0.5 for row in fisher.columns(logits)]
        samples = max(1, self.max_rows // n)
        scale = (n * samples) ** 0.5
        return [fisher.sampled(logits, self.generator) / scale for _ in range(samples)]

    def solution(self, blocks: list[Block]) -> Solution:
        """(F + damping I)^-1 g."""
        if self.solve == "dense":
            return jacobian.solve_dense(blocks, self.damping)
        return jacobian.solve_dual(blocks, self.damping, tolerance=REFINE_ABOVE)

    def counters(self) -> dict[str, float]:
        """Those of the shell, and the residual."""
        return {**super().counters(), "residual": self.residual}

    def set_counters(self, counters: Mapping[str, float]) -> None:
        """The inverse of `counters`."""
        super().set_counters(counters)
        self.residual = counters["residual"]

    def diagnostics(self) -> dict[str, float]:
        """Health of the run, at its latest step."""
        return {
            "damping": self.damping,
            "clip_factor": self.clip_factor,
            "clipped_steps": self.clipped_steps,
            "relative_residual": self.residual,
        }


build = NaturalGradient
