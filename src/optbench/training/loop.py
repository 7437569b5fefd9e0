"""The training loop: one for every optimizer, schedule and workload."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """Whoever is told how training goes. What it is told between two steps it may interrupt."""

    def step(self, step: int) -> None:
        """Called after each step, with the number of steps done."""
        ...

    def scored(self) -> None:
        """Called after each batch that is scored."""
        ...

    def epoch(self, epoch: Epoch, diagnostics: Sequence[Diagnostic]) -> None:
        """Called after each epoch."""
        ...


@dataclass(kw_only=True)
class Course:
    """How training has gone so far. With the learner's state, it is all that goes on from here."""

    history: list[Epoch] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    # Of the steps of the epoch that is not in the history yet, a scalar each:
    losses: list[Tensor] = field(default_factory=list)
    gradient_norms: list[Tensor] = field(default_factory=list)
    diverged_at_step: int | None = None

    @property
    def position(self) -> tuple[int, int]:
        """Epochs that are over, and steps since."""
        return len(self.history), len(self.losses)


@dataclass(frozen=True, kw_only=True)
class Training:
    """A run's parts, ready to go on from wherever its course is."""

    learner: Learner
    scheduler: Scheduler
    train: Batches
    heldout: Batches
    test: Batches
    epochs: int
    fingerprint: Mapping[str, str | int]
    course: Course = field(default_factory=Course)

    @property
    def step(self) -> int:
        """Steps done."""
        epochs, steps = self.course.position
        return epochs * len(self.train) + steps

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.epochs * len(self.train)


def fit(training: Training, *watchers: Watcher) -> None:
    """Trains. A loss that is NaN or infinite ends the run: that is its result, not an error."""
    course = training.course
    while len(course.history) < training.epochs and course.diverged_at_step is None:
        take_steps(training, watchers)
        end_epoch(training, watchers)


def take_steps(training: Training, watchers: Sequence[Watcher]) -> None:
    """The steps that are left of an epoch."""
    learner, course = training.learner, training.course
    epoch, start = course.position
    learner.model.train()
    for images, labels in training.train.epoch(epoch, start):
        training.scheduler.apply(training.step)
        course.losses.append(learner.step(images, labels))
        course.gradient_norms.append(learner.gradient_norm())
        for watcher in watchers:
            watcher.step(training.step)


def end_epoch(training: Training, watchers: Sequence[Watcher]) -> None:
    """Scores an epoch whose steps are done, and puts it into the history; or finds divergence."""
    learner, course, scheduler = training.learner, training.course, training.scheduler
    losses, norms = (torch.stack(v).cpu() for v in (course.losses, course.gradient_norms))
    if (bad := first_not_finite(losses)) is not None:
        course.diverged_at_step = training.step - len(losses) + bad + 1
        return
    scores = evaluate(learner, training.heldout, *watchers)
    if not math.isfinite(scores.loss):
        course.diverged_at_step = training.step
        return
    epoch = Epoch(
        epoch=len(course.history) + 1,
        step=training.step,
        train_loss=losses.double().mean().item(),
        heldout_loss=scores.loss,
        heldout_accuracy=scores.accuracy,
        lr=scheduler.lr,
        momentum=scheduler.momentum,
        gradient_norm=norms.double().mean().item(),
    )
    diagnostics = learner.diagnostics(epoch.epoch)
    course.history.append(epoch)
    course.diagnostics.extend(diagnostics)
    course.losses.clear()
    course.gradient_norms.clear()
    for watcher in watchers:
        watcher.epoch(epoch, diagnostics)


@torch.inference_mode()
def evaluate(learner: Learner, batches: Batches, *watchers: Watcher) -> Scores:
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
        for watcher in watchers:
            watcher.scored()
    target, guess = torch.cat(labels).cpu(), torch.cat(predicted).cpu()
    loss = torch.cat(losses).cpu().double().mean().item()
    accuracy = (guess == target).double().mean().item()
    return Scores(loss, accuracy, target, guess, torch.cat(confidence).cpu())


def first_not_finite(values: Tensor) -> int | None:
    """The index of the first NaN or infinity in a tensor [n]."""
    bad = torch.nonzero(~torch.isfinite(values))
    return int(bad[0]) if len(bad) else None
