"""BatchNorm's statistics for weights that were put in place to be judged, averages for one.

The running statistics belong to the weights that were trained; those of others are estimated anew
on training batches (Izmailov et al. 2018, arXiv 1803.05407, section 3.2).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

BATCHES = 4  # of a whole batch's size
Forward = Callable[[Tensor], Tensor]


@contextmanager
def reestimated_statistics(
    model: nn.Module, forward: Forward, inputs: Iterable[Tensor]
) -> Iterator[None]:
    """Inside, running statistics are means over some inputs; then again what they were, to the bit.

    Args:
        model: whose BatchNorm layers are meant; one without any is not run.
        forward: maps inputs to outputs through `model`.
        inputs: [b, ...] each.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    kept = [
        (norm, norm.momentum, {name: buffer.clone() for name, buffer in norm.named_buffers()})
        for norm in norms
    ]
    try:
        if norms:
            estimate(model, norms, forward, inputs)
        yield
    finally:
        for norm, momentum, buffers in kept:
            norm.momentum = momentum
            for name, buffer in buffers.items():
                norm.get_buffer(name).copy_(buffer)


@torch.no_grad()
def estimate(
    model: nn.Module, norms: Iterable[_BatchNorm], forward: Forward, inputs: Iterable[Tensor]
) -> None:
    """Sets running statistics to the means of those of batches."""
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all that come
        norm.train()
    for batch in inputs:
        forward(batch)
    model.eval()
