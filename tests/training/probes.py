"""Optimizers and data sets that are there for a test alone, and what the tests train with them."""

import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import digits_run
from torch.optim import SGD

from optbench.core.records import Outcome
from optbench.core.run import Run
from optbench.datasets.images import ImageData, Images
from optbench.training.assembly import prepare
from optbench.training.train import complete


def trained(run: Run) -> Outcome:
    """A run's outcome, trained here."""
    return complete(run, prepare(run))


def provide(monkeypatch: pytest.MonkeyPatch, kind: str, name: str, **members: Any) -> None:
    """Makes a part of that kind and name, of what its file would hold."""
    module = ModuleType(f"optbench.{kind}.{name}")
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def probe_run(monkeypatch: pytest.MonkeyPatch, optimizer: type[SGD], **settings: Any) -> Run:
    """A run with an optimizer of its own, which takes what torch's SGD does."""

    def build(model: torch.nn.Module, groups: list, **arguments: Any) -> SGD:
        return optimizer(groups, **arguments)

    provide(monkeypatch, "optimizers", "probe", build=build)
    run = digits_run("sgd", "cosine", **settings)
    return replace(run, optimizer="probe", optimizer_args={"lr": 0.05, "momentum": 0.9})


def image_data(height: int, width: int, n: int = 200) -> ImageData:
    """Images of noise whose class shows in their brightness."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 4
    pixels = rng.integers(0, 60, size=(n, height, width, 1)) + 60 * labels[:, None, None, None]
    images = Images(pixels.astype(np.uint8), labels.astype(np.int64))
    return ImageData(images, images, (0.5,), (0.3,), tuple("abcd"), "0" * 64)


def provide_images(monkeypatch: pytest.MonkeyPatch, height: int, width: int) -> None:
    """Makes a data set `noise` of images of that size."""
    provide(monkeypatch, "datasets", "noise", load=lambda root: image_data(height, width))


class Averaging(SGD):
    """SGD that is judged by the mean of its weights over all steps."""

    log: list[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.log, self.spare = [], []

    def step(self, closure: Callable[[], torch.Tensor]) -> torch.Tensor:
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state.setdefault("sum", torch.zeros_like(p)).add_(p.detach())
                state["count"] = state.get("count", 0) + 1
        return loss

    @torch.no_grad()
    def before_evaluation(self) -> None:
        self.log.append("before")
        self.spare = [(p, p.clone()) for group in self.param_groups for p in group["params"]]
        for p, _ in self.spare:
            p.copy_(self.state[p]["sum"] / self.state[p]["count"])

    @torch.no_grad()
    def after_evaluation(self) -> None:
        self.log.append("after")
        for p, weight in self.spare:
            p.copy_(weight)
