"""What a step of an optimizer costs in time and memory, measured beside a reference in one process.

Steps of both alternate, so that a machine's drift touches both alike. The ratio of SGD to SGD shows
the noise of the measurement itself. Where an optimizer's steps are of several kinds, such as those
that measure curvature, each kind counts as often as it occurs.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from rich.progress import track
from torch import Tensor
from torch.optim import Optimizer

from optbench.core.run import Run
from optbench.cost.cost import Cost
from optbench.cost.kinds import Kind, kinds_of
from optbench.cost.peak_memory import WARMUP_STEPS, first_of, peak_memory_bytes
from optbench.tasks.protocol import Batch, Task
from optbench.training.assembly import build_learner, build_task
from optbench.training.device import fingerprint, set_up_process

PAIRS = 30
FEWEST_PAIRS, LONG_ENOUGH_S = 5, 60.0  # of a kind of step; large networks take seconds a step
Pairs = Sequence[tuple[float, float]]  # seconds of a step of the subject, and of the reference


def measure(run: Run, reference: Run, *, pairs: int = PAIRS) -> Cost:
    """The cost of a step of `run`'s optimizer beside one of SGD's.

    Both train on the workload's data as `run` has it, and should have a rate so small that hundreds
    of steps change nothing: the time of a step does not depend on it. Of several devices one's part
    is measured, without what they send each other.

    Args:
        run: the subject's.
        reference: SGD's, of the same settings.
        pairs: steps of each that are timed; fewer where they take minutes.

    Raises:
        UsageError: the device is absent, the data is missing or damaged, or parts do not fit.
    """
    settings = run.settings
    device = set_up_process(settings)
    task = build_task(settings, run.seed, device)
    memory = peak_memory_bytes(run, task, device)
    subject, other = Stepper(run, task, device), Stepper(reference, task, device)
    for stepper in (subject, other) * WARMUP_STEPS:
        stepper.step()
    kinds = kinds_of(subject.learner.optimizer)
    times = [
        time_pairs(subject, other, kind, name=f"{run.optimizer}: {kind.name}", pairs=pairs)
        for kind in kinds
    ]
    quartiles = [ratio_quartiles(timed) for timed in times]
    shares = [kind.share for kind in kinds]
    q1, median, q3 = (statistics.fmean(column, shares) for column in zip(*quartiles, strict=True))
    return Cost(
        step_time_s=statistics.fmean(
            [statistics.median(ours for ours, _ in timed) for timed in times], shares
        ),
        sgd_step_time_s=statistics.median(theirs for timed in times for _, theirs in timed),
        step_time_ratio=median,
        step_time_ratio_q1=q1,
        step_time_ratio_q3=q3,
        pairs=sum(map(len, times)),
        ratio_by_kind={kind.name: ratios[1] for kind, ratios in zip(kinds, quartiles, strict=True)},
        steps_per_epoch=len(task.train),
        optimizer_state_bytes=state_bytes(subject.learner.optimizer),
        peak_memory_bytes=memory,
        fingerprint=fingerprint(settings, device, task),
    )


def time_pairs(
    subject: "Stepper", reference: "Stepper", kind: Kind, *, name: str, pairs: int
) -> Pairs:
    """Times a step of the subject and one of the reference, side by side, for many pairs.

    A rare kind of step gets a third of the pairs. After a minute five pairs are enough.
    """
    count = max(pairs // 3, round(pairs * kind.share))
    times: list[tuple[float, float]] = []
    for pair in track(range(count), description=name, disable=not sys.stdout.isatty()):
        if pair >= FEWEST_PAIRS and sum(map(sum, times)) > LONG_ENOUGH_S:
            break
        subject.go_to(kind)
        if pair % 2 == 0:
            ours, theirs = subject.timed_step(), reference.timed_step()
        else:
            theirs, ours = reference.timed_step(), subject.timed_step()
        times.append((ours, theirs))
    return times


def ratio_quartiles(pairs: Pairs) -> tuple[float, float, float]:
    """The three quartiles of the ratios of pairs."""
    q1, q2, q3 = statistics.quantiles([ours / theirs for ours, theirs in pairs], n=4)
    return q1, q2, q3


class Stepper:
    """Takes one training step at a time, on batch after batch."""

    def __init__(self, run: Run, task: Task, device: torch.device) -> None:
        """Builds network and optimizer as training does, on a task that others may share."""
        self.task, self.device = task, device
        self.learner = build_learner(run, task, device, first_of(run.settings.devices))
        self.learner.model.train()
        self.batches: Iterator[Batch] = iter(())

    def next_batch(self) -> Batch:
        """The next batch, starting over at the end of the epoch."""
        batch = next(self.batches, None)
        if batch is None:
            self.batches = self.task.train.epoch(0, 0, self.learner.world.share)
            batch = next(self.batches)
        return batch

    def step(self) -> None:
        """Fetches and augments a batch, and updates the parameters."""
        self.learner.step(self.next_batch())

    def timed_step(self) -> float:
        """The seconds that a step takes, to the end of the device's work."""
        synchronize(self.device)
        start = time.perf_counter()
        self.step()
        synchronize(self.device)
        return time.perf_counter() - start

    def go_to(self, kind: Kind) -> None:
        """Lets the next step be of a kind."""
        kind.prepare(self.learner.optimizer)


def synchronize(device: torch.device) -> None:
    """Waits until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def state_bytes(optimizer: Optimizer) -> int:
    """The bytes of all tensors in an optimizer's state, step counters included."""
    return sum(t.numel() * t.element_size() for t in tensors_in(list(optimizer.state.values())))


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested lists and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
