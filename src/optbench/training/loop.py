"""The training loop: one for every optimizer, schedule and workload."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from optbench.core.records import Epoch
from optbench.training.batches import Batches
from optbench.training.scheduling import Scheduler


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A network, the optimizer of its parameters, and how both compute."""

    model: nn.Module
    forward: Callable[[Tensor], Tensor]  # the model, or the model compiled
    optimizer: Optimizer
    label_smoothing: float
    precision: str
    device: torch.device

    def logits(self, images: Tensor) -> Tensor:
        """Logits in float32, [b, classes], from a forward pass in the workload's precision."""
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        ):
            return self.forward(images).float()

    def backward(self, images: Tensor, labels: Tensor) -> Tensor:
        """The closure of a step: leaves the gradient in the parameters and returns the loss.

        An optimizer may call it more than once a step.
        """
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.logits(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        torch.autograd.backward(loss)
        return loss

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One update of the parameters from a batch; returns the loss, a scalar tensor."""
        closure = partial(self.backward, images, labels)
        # torch's stub says that a closure returns a float; its optimizers pass on what it returns.
        return torch.as_tensor(self.optimizer.step(closure)).detach()  # type: ignore[arg-type]

    def gradient_norm(self) -> Tensor:
        """The Euclidean norm of the gradient, over all parameters."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        return nn.utils.get_total_norm(gradients)


@dataclass(frozen=True)
class Scores:
    """A model on a data set: mean loss over examples, predicted class and its probability [n]."""

    loss: float
    accuracy: float
    labels: Tensor
    predicted: Tensor
    confidence: Tensor


def fit(
    learner: Learner,
    scheduler: Scheduler,
    *,
    train: Batches,
    heldout: Batches,
    epochs: int,
    report: Callable[[Epoch], None],
) -> tuple[list[Epoch], int | None]:
    """Trains, and returns the history and the step at which the run diverged (None: it did not).

    A loss that is NaN or infinite ends the run: that is its result, not an error.
    """
    history: list[Epoch] = []
    for epoch in range(epochs):
        losses, norms = train_epoch(learner, scheduler, train, epoch)
        steps = (epoch + 1) * len(train)
        if (bad := first_not_finite(losses)) is not None:
            return history, steps - len(losses) + bad + 1
        scores = evaluate(learner, heldout)
        if not math.isfinite(scores.loss):
            return history, steps
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
        report(history[-1])
    return history, None


def train_epoch(
    learner: Learner, scheduler: Scheduler, batches: Batches, epoch: int
) -> tuple[Tensor, Tensor]:
    """One pass over the data; returns each step's loss and gradient norm, both [steps]."""
    learner.model.train()
    losses, norms = [], []
    for step, (images, labels) in enumerate(batches.epoch(epoch), start=epoch * len(batches)):
        scheduler.apply(step)
        losses.append(learner.step(images, labels))
        norms.append(learner.gradient_norm())
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
