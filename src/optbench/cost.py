"""What a step of an optimizer costs in time and memory, measured beside SGD in one process.

Steps of both alternate, so that a machine's drift touches both alike. The ratio of SGD to SGD shows
the noise of the measurement itself.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.progress import track
from torch import Tensor
from torch.distributed._tools.mem_tracker import MemTracker
from torch.optim import Optimizer

from optbench.core.images import ImageData
from optbench.core.run import Run, Workload
from optbench.training.assembly import build_batches, build_learner, load_data
from optbench.training.device import fingerprint, make_repeatable

# A rate so small that hundreds of steps change nothing: the time of a step does not depend on it.
PROBE = {"lr": 1e-6, "weight_decay": 1e-6}
WARMUP_STEPS = 3
PAIRS = 30


@dataclass(frozen=True, kw_only=True)
class Cost:
    """An optimizer's step beside SGD's: times in seconds, memory in bytes."""

    step_time_s: float  # median
    sgd_step_time_s: float  # median
    step_time_ratio: float  # median over pairs of steps
    step_time_ratio_q1: float  # quartiles over pairs of steps
    step_time_ratio_q3: float
    pairs: int
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
        settings=Workload(**params["workloads"][workload]),
        optimizer_args={**params["optimizers"][optimizer]["settings"], **PROBE},
        schedule_args={},
    )


def measure(run: Run, sgd: Run) -> Cost:
    """Times `run`'s optimizer against `sgd`'s on the workload's own batches."""
    device = make_repeatable(run.settings)
    data = load_data(run.settings)
    subject, reference = Stepper(run, data, device), Stepper(sgd, data, device)
    for stepper in (subject, reference) * WARMUP_STEPS:
        stepper.step()
    times, reference_times = [], []
    name = f"cost of {run.optimizer} on {run.workload}"
    for pair in track(range(PAIRS), description=name, disable=not sys.stdout.isatty()):
        first_subject = pair % 2 == 0
        if first_subject:
            times.append(subject.timed_step())
        reference_times.append(reference.timed_step())
        if not first_subject:
            times.append(subject.timed_step())
    ratios = [a / b for a, b in zip(times, reference_times, strict=True)]
    q1, median, q3 = statistics.quantiles(ratios, n=4)
    return Cost(
        step_time_s=statistics.median(times),
        sgd_step_time_s=statistics.median(reference_times),
        step_time_ratio=median,
        step_time_ratio_q1=q1,
        step_time_ratio_q3=q3,
        pairs=PAIRS,
        steps_per_epoch=len(subject.train),
        optimizer_state_bytes=state_bytes(subject.learner.optimizer),
        peak_memory_bytes=subject.peak_memory_bytes(),
        fingerprint=fingerprint(run.settings, device, data.digest),
    )


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

    def peak_memory_bytes(self) -> int:
        """The most that was alive at once in a step."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self.step()
            return int(torch.cuda.max_memory_allocated(self.device))
        # Private to torch, and the only tracker of live tensors on a CPU; torch is pinned.
        tracker = MemTracker()
        tracker.track_external(self.learner.model, self.learner.optimizer)
        with tracker:
            self.step()
        return int(tracker.get_tracker_snapshot("peak")[self.device]["Total"])


def synchronize(device: torch.device) -> None:
    """Waits until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def state_bytes(optimizer: Optimizer) -> int:
    """The bytes of all tensors in an optimizer's state, step counters included."""
    return sum(
        value.numel() * value.element_size()
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    )
