"""Takes away what a process could draw from; imported by the processes that read images."""

import random

import numpy as np
import torch

from optbench.tasks.image_stream.loader import Reader, Request, start_worker


def poisoned(*_: object, **__: object) -> None:
    raise AssertionError("drawn from a generator")


def poison(number: int, *, parent: int) -> None:
    """Instead of `start_worker`: each way to draw raises."""
    start_worker(number, parent=parent)
    for name in ("random", "randint", "uniform", "shuffle", "sample", "choice", "getrandbits"):
        setattr(random, name, poisoned)
    for name in ("rand", "randint", "random", "uniform", "shuffle", "permutation", "default_rng"):
        setattr(np.random, name, poisoned)
    for name in ("rand", "randint", "randperm", "randn", "empty_like"):
        setattr(torch, name, poisoned)
    torch.Tensor.uniform_ = torch.Tensor.random_ = poisoned


class DrawingReader(Reader):
    """The control: draws from torch's generator."""

    def __getitem__(self, request: Request) -> object:
        torch.randperm(3)
        return super().__getitem__(request)
