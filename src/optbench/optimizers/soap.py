"""SOAP (Vyas et al. 2024, arXiv 2409.11321, algorithm 3), pytorch-optimizer's.

Adam in the eigenbases of Shampoo's factors, one for each side of a tensor: a kernel
[out, in, kh, kw] has four. Vectors have none, which makes it Adam for them.

Departures, all of them the authors' code's: the first step sets the eigenbases up and moves
nothing; Adam's averages are debiased; the second moment is sorted with its eigenvectors.
"""

from typing import Annotated, Any

import pytorch_optimizer
import torch
from annotated_types import Gt
from torch import Tensor, nn, optim

FAMILY = "matrix"
WEIGHT_DECAY = "decoupled"
# Of the authors' code.
UNTUNED = {"lr": 0.003, "weight_decay": 0.01}


class SOAP(pytorch_optimizer.SOAP):
    """Goes on where a gradient is not finite: the loss says that, and ends the run."""

    @property
    def period(self) -> int:
        """After how many steps the kinds of steps come round."""
        return int(self.param_groups[0]["precondition_frequency"])

    @property
    def steps(self) -> int:
        """Steps done."""
        return int(self.param_groups[0].get("step", 0))

    @steps.setter
    def steps(self, count: int) -> None:
        for group in self.param_groups:
            group["step"] = count

    def kind(self, step: int) -> str:
        """Whether the eigenbases turn in a step, counted from 0."""
        return "plain" if step % self.period else "eigenbases"

    @staticmethod
    def get_orthogonal_matrix(mat: list[Tensor]) -> list[Tensor]:  # type: ignore[override]
        """The eigenvectors of each factor."""
        finite = [torch.nan_to_num(m, 0.0, 0.0, 0.0) if len(m) else m for m in mat]
        # The library's annotation says that it takes one matrix.
        return pytorch_optimizer.SOAP.get_orthogonal_matrix(finite)  # type: ignore[arg-type]


def build(
    model: nn.Module,
    param_groups: list[dict[str, Any]],
    *,
    lr: float,
    betas: tuple[float, float] = (0.95, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    precondition_frequency: Annotated[int, Gt(0)] = 10,
    max_precondition_dim: Annotated[int, Gt(0)] = 2048,
) -> optim.Optimizer:
    """`weight_decay` is decoupled: each step shrinks the weights by lr x weight_decay.

    The eigenbases turn every `precondition_frequency` steps, at the cost of a QR decomposition of
    each. `max_precondition_dim` bounds what that costs, which grows with a side's cube: a larger
    side has no eigenbasis.
    """
    return SOAP(
        param_groups,
        lr=lr,
        betas=betas,
        eps=eps,
        weight_decay=weight_decay,
        precondition_frequency=precondition_frequency,
        max_precondition_dim=max_precondition_dim,
    )
