"""What a step of an optimizer costs in time and memory, measured beside SGD in one process.

Steps of both alternate, so that a machine's drift touches both alike. The ratio of SGD to SGD shows
the noise of the measurement itself. Where an optimizer's steps are of several kinds, such as those
that measure curvature, each kind counts as often as it occurs.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.progress import track
from torch import Tensor
from torch.optim import Optimizer

from optbench.core.images import ImageData
from optbench.core.run import Run, Workload, look_up
from optbench.cost.live_bytes import LiveBytes
from optbench.training.assembly import build_batches, build_learner, load_data
from optbench.training.device import fingerprint, set_up_process

# A rate so small that hundreds of steps change nothing: the time of a step does not depend on it.
PROBE = {"lr": 1e-6, "weight_decay": 1e-6}
WARMUP_STEPS = 3
PAIRS = 30


@dataclass(frozen=True, kw_only=True)
class Cost:
    """An optimizer's step beside SGD's: times in seconds, memory in bytes.

    Medians and quartiles are taken over steps of one kind, then averaged over kinds.
    """

    step_time_s: float  # median
    sgd_step_time_s: float  # median
    step_time_ratio: float  # median over pairs of steps
    step_time_ratio_q1: float  # quartiles over pairs of steps
    step_time_ratio_q3: float
    pairs: int
    ratio_by_kind: Mapping[str, float]  # medians
    steps_per_epoch: int
    optimizer_state_bytes: int
    peak_memory_bytes: int  # tensors alive at once in a step: parameters, gradients, activations
    fingerprint: Mapping[str, str | int]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)


def probe(params: Mapping[str, Any], workload: str, optimizer: str) -> Run:
    """A run of the optimizer with its settings, a tiny lr, and no schedule."""
    return Run(
        workload=workload,
        optimizer=optimizer,
        schedule="none",
        seed=0,
        settings=Workload(**look_up(params, "workloads", workload)),
        optimizer_args={**look_up(params, "optimizers", optimizer, "settings"), **PROBE},
        schedule_args={},
    )


def measure(run: Run, sgd: Run, *, pairs: int = PAIRS) -> Cost:
    """Times `run`'s optimizer against `sgd`'s on the workload's own batches."""
    device = set_up_process(run.settings)
    data = load_data(run.settings)
    subject, reference = Stepper(run, data, device), Stepper(sgd, data, device)
    for stepper in (subject, reference) * WARMUP_STEPS:
        stepper.step()
    kinds = kinds_of(subject.learner.optimizer)
    times = [
        time_pairs(subject, reference, kind, name=f"{run.optimizer}: {kind.name}", pairs=pairs)
        for kind in kinds
    ]
    quartiles = [ratio_quartiles(own) for own in times]
    shares = [kind.share for kind in kinds]
    q1, median, q3 = (statistics.fmean(column, shares) for column in zip(*quartiles, strict=True))
    return Cost(
        step_time_s=statistics.fmean(
            [statistics.median(own for own, _ in kind) for kind in times], shares
        ),
        sgd_step_time_s=statistics.median(other for kind in times for _, other in kind),
        step_time_ratio=median,
        step_time_ratio_q1=q1,
        step_time_ratio_q3=q3,
        pairs=sum(map(len, times)),
        ratio_by_kind={kind.name: ratios[1] for kind, ratios in zip(kinds, quartiles, strict=True)},
        steps_per_epoch=len(subject.train),
        optimizer_state_bytes=state_bytes(subject.learner.optimizer),
        peak_memory_bytes=max(map(subject.peak_memory_bytes, kinds)),
        fingerprint=fingerprint(run.settings, device, data.digest),
    )


@dataclass(frozen=True)
class Kind:
    """One of the kinds of steps that an optimizer takes."""

    name: str
    share: float  # of all steps
    example: int | None  # a step of this kind; None: every step is of it


def kinds_of(optimizer: Any) -> list[Kind]:
    """The kinds of steps of an optimizer.

    One with several has a `period` of steps and a method `kind(step)`, and counts its `steps`, by
    which its work goes. Its first period is left out: there it may work more.
    """
    if not hasattr(optimizer, "kind"):
        return [Kind("step", 1.0, None)]
    steps = range(optimizer.period, 2 * optimizer.period)
    names = [optimizer.kind(step) for step in steps]
    return [
        Kind(name, names.count(name) / len(names), steps[names.index(name)])
        for name in sorted(set(names))
    ]


def time_pairs(
    subject: "Stepper", reference: "Stepper", kind: Kind, *, name: str, pairs: int
) -> list[tuple[float, float]]:
    """Seconds of a step of the subject and of the reference, side by side, for many pairs.

    A rare kind of step gets a third of the pairs.
    """
    count = max(pairs // 3, round(pairs * kind.share))
    times = []
    for pair in track(range(count), description=name, disable=not sys.stdout.isatty()):
        subject.go_to(kind)
        if pair % 2 == 0:
            own, other = subject.timed_step(), reference.timed_step()
        else:
            other, own = reference.timed_step(), subject.timed_step()
        times.append((own, other))
    return times


def ratio_quartiles(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The three quartiles of the ratios of pairs."""
    q1, q2, q3 = statistics.quantiles([own / other for own, other in pairs], n=4)
    return q1, q2, q3


class Stepper:
    """Takes one training step at a time, on batch after batch."""

    def __init__(self, run: Run, data: ImageData, device: torch.device) -> None:
        """Builds network, optimizer and batches as training does."""
        self.train, _, _ = build_batches(run.settings, data, run.seed, device)
        self.learner = build_learner(run, data, device)
        self.device = device
        self.batches: Iterator[tuple[Tensor, Tensor]] = iter(())
        self.learner.model.train()

    def next_batch(self) -> tuple[Tensor, Tensor]:
        """The next batch, starting over at the end of the epoch."""
        batch = next(self.batches, None)
        if batch is None:
            self.batches = self.train.epoch(0)
            batch = next(self.batches)
        images, labels = batch
        return images, labels

    def step(self) -> None:
        """Fetches and augments a batch, and updates the parameters."""
        images, labels = self.next_batch()
        self.learner.step(images, labels)

    def timed_step(self) -> float:
        """The seconds that a step takes, to the end of the device's work."""
        synchronize(self.device)
        start = time.perf_counter()
        self.step()
        synchronize(self.device)
        return time.perf_counter() - start

    def go_to(self, kind: Kind) -> None:
        """Lets the next step be of a kind."""
        if kind.example is not None:
            self.learner.optimizer.steps = kind.example  # type: ignore[attr-defined]

    def peak_memory_bytes(self, kind: Kind) -> int:
        """The most that was alive at once in a step of a kind."""
        self.go_to(kind)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self.step()
            return int(torch.cuda.max_memory_allocated(self.device))
        model, optimizer = self.learner.model, self.learner.optimizer
        optimizer.zero_grad(set_to_none=True)
        own = [*model.parameters(), *model.buffers(), *state_tensors(optimizer)]
        with LiveBytes(own) as live:
            self.step()
        return int(live.peak)


def synchronize(device: torch.device) -> None:
    """Waits until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def state_tensors(optimizer: Optimizer) -> list[Tensor]:
    """All tensors in an optimizer's state, step counters included."""
    values = (value for state in optimizer.state.values() for value in state.values())
    return [value for value in values if isinstance(value, Tensor)]


def state_bytes(optimizer: Optimizer) -> int:
    """The bytes of an optimizer's state."""
    return sum(tensor.numel() * tensor.element_size() for tensor in state_tensors(optimizer))
