"""Whose gradients make up a Fisher matrix: labels drawn from the model, all labels, or the data's.

Each function gives gradients of per-example losses with respect to the logits. The Fisher matrix of
the model's predictive distribution p is E_{y ~ p}[g g^T] = J^T (diag(p) - p p^T) J. The empirical
Fisher, with the data's labels, is another matrix (Kunstner et al. 2019, arXiv 1905.12558).
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

LIKELIHOODS = ("categorical",)  # logits of classes, of which one is the target


def sampled(logits: Tensor, generator: Generator) -> Tensor:
    """The gradient of -log p(y | x) for one label an example drawn from the model; [n, classes].

    Unbiased for the Fisher matrix. Uniform numbers come from the CPU, so that a seed means the same
    on every device.
    """
    p = logits.detach().double().softmax(dim=1)
    uniform = torch.rand(len(p), 1, generator=generator, dtype=torch.float64).to(p.device)
    drawn = (p.cumsum(dim=1) < uniform).sum(dim=1).clamp(max=p.shape[1] - 1)
    return (p - F.one_hot(drawn, p.shape[1])).to(logits.dtype)


def columns(logits: Tensor) -> Iterator[Tensor]:
    """The columns s_c = sqrt(p_c) (e_c - p), one tensor [n, classes] a class.

    Their outer products add up to diag(p) - p p^T, the Hessian of cross entropy in the logits.
    """
    p = logits.detach().softmax(dim=1)
    unit = torch.eye(p.shape[1], dtype=p.dtype, device=p.device)
    for c in range(p.shape[1]):
        yield p[:, c, None].sqrt() * (unit[c] - p)


def observed(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of -log p(y | x) for the data's labels [n]; [n, classes]."""
    p = logits.detach().softmax(dim=1)
    return p - F.one_hot(labels, p.shape[1]).to(p.dtype)
