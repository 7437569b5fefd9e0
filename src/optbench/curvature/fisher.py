"""Whose gradients make up a Fisher matrix: labels drawn from the model, all labels, or the data's.

An example has one loss, of logits [n, classes], or one a token, of logits [n, tokens, classes];
`...` below are the dimensions before the classes. Each function gives gradients, with respect to
the logits, of the sum of all these losses. The Fisher matrix of the model's predictive distribution
p is E_{y ~ p}[g g^T], in the logits of one loss diag(p) - p p^T, and 0 between two losses, whose
labels are independent given the logits. The empirical Fisher, with the data's labels, is another
matrix (Kunstner et al. 2019, arXiv 1905.12558); it keeps products between tokens of an example.
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from optbench.core.world import WHOLE, Share

LIKELIHOODS = ("categorical",)  # logits of classes, of which one is the target


def sampled(logits: Tensor, generator: Generator, share: Share = WHOLE) -> Tensor:
    """The gradient of -log p(y | x) for one label a loss drawn from the model; [..., classes].

    Unbiased for the Fisher matrix. Uniform numbers come from the CPU, so that a seed means the same
    on every device. They are drawn for the examples of all devices, of which these are a share.
    """
    p = logits.detach().double().softmax(dim=-1)
    shape = (len(p) * share.count, *p.shape[1:-1], 1)
    drawn_for_all = torch.rand(shape, generator=generator, dtype=torch.float64)
    uniform = share.of(drawn_for_all).to(p.device)
    drawn = torch.searchsorted(p.cumsum(dim=-1), uniform).clamp(max=p.shape[-1] - 1)
    # In place: of a language model's probabilities a second copy would be felt.
    return p.scatter_(-1, drawn, p.gather(-1, drawn) - 1).to(logits.dtype)


def columns(logits: Tensor) -> Iterator[Tensor]:
    """The columns s_c = sqrt(p_c) (e_c - p), one tensor [..., classes] a class and a token.

    Their outer products add up to diag(p) - p p^T, the Hessian of cross entropy in the logits. A
    tensor is 0 but at one token: columns of all tokens at once would add products between tokens,
    where the Hessian is 0.
    """
    p = logits.detach().softmax(dim=-1).reshape(len(logits), -1, logits.shape[-1])
    unit = torch.eye(p.shape[2], dtype=p.dtype, device=p.device)
    for token, c in product(range(p.shape[1]), range(p.shape[2])):
        column = torch.zeros_like(p)
        here = p[:, token]  # [n, classes]
        column[:, token] = here[:, c, None].sqrt() * (unit[c] - here)
        yield column.reshape(logits.shape)


def observed(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of -log p(y | x) for the data's labels [...]; [..., classes]."""
    p = logits.detach().softmax(dim=-1)
    return p - F.one_hot(labels, p.shape[-1]).to(p.dtype)
