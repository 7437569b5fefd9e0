"""The training loop: one for every optimizer, schedule and workload."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from optbench.core.objective import Objective
from optbench.core.records import Diagnostic, Epoch
from optbench.training.batches import Batches
from optbench.training.scheduling import Scheduler

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A network, the optimizer of its parameters, and how both compute."""

    model: nn.Module
    forward: Forward  # the model, or the model compiled
    optimizer: Optimizer
    label_smoothing: float
    precision: str
    device: torch.device

    def logits(
        self, images: Tensor, *, forward: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Logits in float32, [b, classes], from a forward pass in the workload's precision."""
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        ):
            return (forward or self.forward)(images).float()

    def backward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Leaves the gradient of a batch's loss in the parameters and returns the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.logits(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        torch.autograd.backward(loss)
        return loss

    def objective(self, images: Tensor, labels: Tensor) -> Objective:
        """The closure of a step; an optimizer may call it more than once."""
        return Objective(
            images,
            labels,
            forward=lambda some: self.logits(some, forward=self.model),
            backward=lambda: self.backward(images, labels),
        )

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One update of the parameters from a batch; returns the loss, a scalar tensor."""
        # torch's stub says that a closure returns a float; its optimizers pass on what it returns.
        loss = self.optimizer.step(self.objective(images, labels))  # type: ignore[arg-type]
        return torch.as_tensor(loss).detach()

    def gradient_norm(self) -> Tensor:
        """The Euclidean norm of the gradient, over all parameters."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        return nn.utils.get_total_norm(gradients)

    def diagnostics(self, epoch: int) -> list[Diagnostic]:
        """What the optimizer says of its health, if it has a method `diagnostics`."""
        tell = getattr(self.optimizer, "diagnostics", dict)
        return [Diagnostic(epoch=epoch, name=k, value=float(v)) for k, v in tell().items()]


@dataclass(frozen=True)
class Scores:
    """A model on a data set: mean loss over examples, predicted class and its probability [n]."""

    loss: float
    accuracy: float
    labels: Tensor
    predicted: Tensor
    confidence: Tensor


class Watcher(Protocol):
    """Whoever is told how training goes."""

    def step(self) -> None:
        """Called after each step."""
        ...

    def epoch(self, epoch: Epoch, diagnostics: Sequence[Diagnostic]) -> None:
        """Called after each epoch."""
        ...


@dataclass(frozen=True)
class Course:
    """How training went; `diverged_at_step` is None where it did not diverge."""

    history: Sequence[Epoch]
    diagnostics: Sequence[Diagnostic]
    diverged_at_step: int | None


def fit(
    learner: Learner,
    scheduler: Scheduler,
    *,
    train: Batches,
    heldout: Batches,
    epochs: int,
    watcher: Watcher,
) -> Course:
    """Trains. A loss that is NaN or infinite ends the run: that is its result, not an error."""
    history: list[Epoch] = []
    diagnostics: list[Diagnostic] = []
    for epoch in range(epochs):
        losses, norms = train_epoch(learner, scheduler, train, epoch, watcher)
        steps = (epoch + 1) * len(train)
        if (bad := first_not_finite(losses)) is not None:
            return Course(history, diagnostics, steps - len(losses) + bad + 1)
        scores = evaluate(learner, heldout)
        if not math.isfinite(scores.loss):
            return Course(history, diagnostics, steps)
        history.append(
            Epoch(
                epoch=epoch + 1,
                step=steps,
                train_loss=losses.double().mean().item(),
                heldout_loss=scores.loss,
                heldout_accuracy=scores.accuracy,
                lr=scheduler.lr,
                momentum=scheduler.momentum,
                gradient_norm=norms.double().mean().item(),
            )
        )
        latest = learner.diagnostics(epoch + 1)
        diagnostics += latest
        watcher.epoch(history[-1], latest)
    return Course(history, diagnostics, None)


def train_epoch(
    learner: Learner, scheduler: Scheduler, batches: Batches, epoch: int, watcher: Watcher
) -> tuple[Tensor, Tensor]:
    """One pass over the data; returns each step's loss and gradient norm, both [steps]."""
    learner.model.train()
    losses, norms = [], []
    for step, (images, labels) in enumerate(batches.epoch(epoch), start=epoch * len(batches)):
        scheduler.apply(step)
        losses.append(learner.step(images, labels))
        norms.append(learner.gradient_norm())
        watcher.step()
    return torch.stack(losses).cpu(), torch.stack(norms).cpu()


@torch.inference_mode()
def evaluate(learner: Learner, batches: Batches) -> Scores:
    """Scores the model on every example, weighing examples equally."""
    learner.model.eval()
    losses, labels, predicted, confidence = [], [], [], []
    for images, targets in batches.epoch(0):
        logits = learner.logits(images)
        top = logits.softmax(dim=1).max(dim=1)
        losses.append(F.cross_entropy(logits, targets, reduction="none"))
        labels.append(targets)
        predicted.append(top.indices)
        confidence.append(top.values)
    target, guess = torch.cat(labels).cpu(), torch.cat(predicted).cpu()
    loss = torch.cat(losses).cpu().double().mean().item()
    accuracy = (guess == target).double().mean().item()
    return Scores(loss, accuracy, target, guess, torch.cat(confidence).cpu())


def first_not_finite(values: Tensor) -> int | None:
    """The index of the first NaN or infinity in a tensor [n]."""
    bad = torch.nonzero(~torch.isfinite(values))
    return int(bad[0]) if len(bad) else None
