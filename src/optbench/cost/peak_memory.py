"""How much memory a step of training takes on top of its data; `Cost` has the definition.

CUDA's allocator counts. Elsewhere `LiveBytes` does, which does not see what an operation takes for
itself, such as the workspace of a convolution; under it, torch runs a compiled network as written.
"""

import gc
from contextlib import nullcontext

import torch

from optbench.core.run import Run
from optbench.core.world import Share, World
from optbench.cost.kinds import kinds_of
from optbench.cost.live_bytes import LiveBytes
from optbench.tasks.protocol import Task
from optbench.training.assembly import build_learner

WARMUP_STEPS = 3  # until all of an optimizer's state is there


class CudaBytes:
    """What `LiveBytes` counts, from CUDA's allocator."""

    def __init__(self, device: torch.device) -> None:
        """Counts from here on; `device`: a CUDA device."""
        self.device, self.before = device, torch.cuda.memory_allocated(device)

    def reset_peak(self) -> None:
        """Forgets what was alive and is not any more."""
        torch.cuda.reset_peak_memory_stats(self.device)

    @property
    def peak(self) -> int:
        """The most bytes that were alive at once since the reset."""
        return torch.cuda.max_memory_allocated(self.device) - self.before


def first_of(devices: int) -> World:
    """The first of some devices, as if the others were there."""
    return World(Share(0, devices))


def peak_memory_bytes(run: Run, task: Task, device: torch.device) -> int:
    """The most bytes that are alive at once in a step of any kind, see `Cost.peak_memory_bytes`.

    Of several devices, on one.

    Nothing else may train in this process meanwhile.
    """
    gc.collect()  # else what is left of learners before would be freed meanwhile
    world = first_of(run.settings.devices)
    batch = next(task.train.epoch(0, 0, world.share))
    peaks = []
    with nullcontext(CudaBytes(device)) if device.type == "cuda" else LiveBytes() as live:
        learner = build_learner(run, task, device, world)
        learner.model.train()
        for _ in range(WARMUP_STEPS):
            learner.step(batch)
        for kind in kinds_of(learner.optimizer):
            kind.prepare(learner.optimizer)
            live.reset_peak()
            learner.step(batch)
            peaks.append(live.peak)
    return max(peaks)
