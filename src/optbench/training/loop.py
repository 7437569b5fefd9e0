"""The training loop: one for every optimizer, schedule and task."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from optbench.core.errors import NumericalError, UsageError
from optbench.core.objective import Objective
from optbench.core.records import Diagnostic, Point
from optbench.core.world import World
from optbench.tasks.protocol import Batch, Batches, Task
from optbench.training.batch_norm import BATCHES, reestimated_statistics
from optbench.training.scheduling import Scheduler

Forward = Callable[[Tensor], Tensor]
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A network, the optimizer of its parameters, what they learn, and how they compute."""

    model: nn.Module
    forward: Forward  # the model, or the model compiled
    averaging: Forward  # the same; on several devices, gradients become the means over all
    optimizer: Optimizer
    task: Task
    precision: str
    device: torch.device
    world: World

    def outputs(self, inputs: Tensor, *, forward: Forward | None = None) -> Tensor:
        """Outputs in float32, [b, ...], from a forward pass in the workload's precision."""
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        ):
            return (forward or self.forward)(inputs).float()

    def eager(self, inputs: Tensor) -> Tensor:
        """Outputs of the model as it is, not compiled."""
        return self.outputs(inputs, forward=self.model)

    def backward(self, batch: Batch) -> Tensor:
        """Leaves the gradient of a batch's loss in the parameters and returns the loss.

        Both are means over all devices, whose shares of a batch are equally large.
        """
        self.optimizer.zero_grad(set_to_none=True)
        # Outputs have no name here: nothing but the graph is to keep them alive.
        loss = self.task.loss(self.outputs(self.task.inputs(batch), forward=self.averaging), batch)
        torch.autograd.backward(loss)
        self.world.average([loss.detach()])
        return loss

    def step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One update of the parameters; the loss and the gradient's norm, scalar tensors.

        Both are those of the first call of the closure: some optimizers call it again elsewhere,
        and some overwrite gradients in their step.
        """
        first: list[Tensor] = []

        def backward() -> Tensor:
            loss = self.backward(batch)
            if not first:
                first.extend([loss.detach(), self.gradient_norm()])
            return loss

        objective = Objective(
            self.task.inputs(batch),
            self.task.targets(batch),
            self.task.likelihood,
            forward=self.eager,
            backward=backward,
            world=self.world,
        )
        # torch's stub says that a closure returns a float.
        self.optimizer.step(objective)  # type: ignore[arg-type]
        loss, norm = first
        return loss, norm

    def gradient_norm(self) -> Tensor:
        """The Euclidean norm of the gradient, over all parameters."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        return nn.utils.get_total_norm(gradients)

    def diagnostics(self, step: int) -> list[Diagnostic]:
        """What the optimizer says of its health, if it has a method `diagnostics`."""
        health: Mapping[str, float] = getattr(self.optimizer, "diagnostics", dict)()
        return [Diagnostic(step=step, name=k, value=float(v)) for k, v in health.items()]


@dataclass(frozen=True)
class Scores:
    """A network on some examples: mean loss over them, score, and a column of each, [n]."""

    loss: float
    score: float
    columns: Mapping[str, Sequence[Any]]


class Watcher(Protocol):
    """Observes training. It may interrupt it between two steps, by an exception."""

    def step(self, step: int) -> None:
        """Called after each step, with the number of steps done."""
        ...

    def scored(self) -> None:
        """Called after each batch that is scored."""
        ...

    def point(self, point: Point, diagnostics: Sequence[Diagnostic]) -> None:
        """Called after each point of the history."""
        ...


@dataclass(kw_only=True)
class Course:
    """How training has gone so far. With the learner's state, it is all that goes on from here."""

    history: list[Point] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    # Of the steps since the last point, a scalar each:
    losses: list[Tensor] = field(default_factory=list)
    gradient_norms: list[Tensor] = field(default_factory=list)
    diverged_at_step: int | None = None

    @property
    def step(self) -> int:
        """Steps done."""
        return (self.history[-1].step if self.history else 0) + len(self.losses)

    @property
    def position(self) -> tuple[int, int]:
        """Points that are in the history, and steps since."""
        return len(self.history), len(self.losses)


@dataclass(frozen=True, kw_only=True)
class Training:
    """A run's parts, ready to go on from wherever its course is."""

    learner: Learner
    scheduler: Scheduler
    heldout: Batches  # scored at each point
    recount: Callable[[Mapping[str, Sequence[Any]]], float]  # the score, from the task's columns
    points: Sequence[int]  # the steps after which the history has one; the last is the end
    fingerprint: Mapping[str, str | int]
    course: Course = field(default_factory=Course)

    @property
    def train(self) -> Batches:
        """The batches to train on."""
        return self.learner.task.train

    @property
    def world(self) -> World:
        """The processes that train it together."""
        return self.learner.world

    @property
    def step(self) -> int:
        """Steps done."""
        return self.course.step

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.points[-1]


def fit(training: Training, *watchers: Watcher) -> None:
    """Trains. Numbers that break end the run: that is its result, not an error."""
    course = training.course
    while len(course.history) < len(training.points) and course.diverged_at_step is None:
        take_steps(training, watchers)
        if course.diverged_at_step is None:
            add_point(training, watchers)


def take_steps(training: Training, watchers: Sequence[Watcher]) -> None:
    """The steps that are left to the next point, or to one whose numbers break."""
    learner, course = training.learner, training.course
    stop = training.points[len(course.history)]
    learner.model.train()
    while training.step < stop:
        epoch, start = divmod(training.step, len(training.train))
        batches = training.train.epoch(epoch, start, training.world.share)
        for batch in islice(batches, stop - training.step):
            training.scheduler.apply(training.step)
            try:
                loss, norm = learner.step(batch)
            except NumericalError as error:
                LOGGER.warning("step %d: %s", training.step + 1, error)
                course.diverged_at_step = training.step + 1
                return
            course.losses.append(loss)
            course.gradient_norms.append(norm)
            for watcher in watchers:
                watcher.step(training.step)


def add_point(training: Training, watchers: Sequence[Watcher]) -> None:
    """Scores where the steps to a point are done, and puts it into the history; or diverges."""
    learner, course, scheduler = training.learner, training.course, training.scheduler
    step = training.step
    losses, norms = (torch.stack(v).cpu() for v in (course.losses, course.gradient_norms))
    if (bad := first_not_finite(losses)) is not None:
        course.diverged_at_step = step - len(losses) + bad + 1
        return
    require_agreement(learner)
    scores = evaluate(training, training.heldout, *watchers)
    if not math.isfinite(scores.loss):
        course.diverged_at_step = step
        return
    point = Point(
        step=step,
        epoch=step / len(training.train),
        train_loss=losses.double().mean().item(),
        heldout_loss=scores.loss,
        heldout_score=scores.score,
        lr=scheduler.lr,
        momentum=scheduler.momentum,
        gradient_norm=norms.double().mean().item(),
    )
    diagnostics = learner.diagnostics(step)
    course.losses.clear()
    course.gradient_norms.clear()
    course.history.append(point)
    course.diagnostics.extend(diagnostics)
    for watcher in watchers:
        watcher.point(point, diagnostics)


def evaluate(training: Training, batches: Batches, *watchers: Watcher) -> Scores:
    """Scores the weights that are to be judged on every example, weighing examples equally."""
    with judged_weights(training):
        # Of BatchNorm's running statistics, which each device has of its share.
        training.world.copy_first(training.learner.model.buffers())
        return _evaluate(training, batches, watchers)


@contextmanager
def judged_weights(training: Training) -> Iterator[None]:
    """Inside, the weights that are to be judged are in place; then again those that train.

    An optimizer may have `before_evaluation` and `after_evaluation`, which put others than those
    that train in place, averages for one, and take them away again. BatchNorm's statistics are
    estimated anew for them.
    """
    learner = training.learner
    hooks = (getattr(learner.optimizer, f"{when}_evaluation", None) for when in ("before", "after"))
    before, after = hooks
    if before is None:
        yield
        return
    before()
    try:
        share = training.world.share
        inputs = map(learner.task.inputs, training.train.epoch(0, 0, share))
        batches = BATCHES * share.count  # so that the first device, whose are scored, sees as much
        with reestimated_statistics(learner.model, learner.eager, islice(inputs, batches)):
            yield
    finally:
        if after is not None:
            after()


@torch.inference_mode()
def _evaluate(training: Training, batches: Batches, watchers: Sequence[Watcher]) -> Scores:
    """Scores the weights that are in place."""
    learner, task = training.learner, training.learner.task
    learner.model.eval()
    losses: list[Tensor] = []
    columns: dict[str, list[Tensor]] = {}
    for batch in batches.epoch(0, 0, training.world.share):
        outputs = learner.outputs(task.inputs(batch))
        losses.append(task.losses(outputs, batch))
        for name, column in task.columns(outputs, batch).items():
            columns.setdefault(name, []).append(column)
        for watcher in watchers:
            watcher.scored()
    gathered = training.world.gathered
    whole = {name: gathered(torch.cat(parts)).tolist() for name, parts in columns.items()}
    loss = gathered(torch.cat(losses)).double().mean().item()
    return Scores(loss, training.recount(whole), whole)


@torch.no_grad()
def require_agreement(learner: Learner) -> None:
    """Each device has the same parameters, to the bit, as far as a sum of their bits shows.

    Raises:
        UsageError: they have come apart, since an optimizer looks at its share of a batch alone.
    """
    if not learner.world.is_connected:
        return
    parameters = [p.contiguous().flatten() for p in learner.model.parameters()]
    sums = [p.view(torch.uint8).sum(dtype=torch.int64) for p in parameters]
    if differing := learner.world.differing(torch.stack(sums).tolist()):
        raise UsageError(
            f"{type(learner.optimizer).__name__} has changed the parameters in another way on "
            f"device {differing[0]} than on device 0: what it computes of its share of a batch "
            "(objective.inputs) must be averaged by objective.world, or its file must say in "
            "ONE_DEVICE why it cannot be"
        )


def first_not_finite(values: Tensor) -> int | None:
    """The index of the first NaN or infinity in a tensor [n]."""
    bad = torch.nonzero(~torch.isfinite(values))
    return int(bad[0]) if len(bad) else None
