"""What the post's setting takes, without a GPU: `usage` of claims.yaml has what this prints.

Bytes and operations of a step are counted on tensors without content, so that nothing is computed.
The main memory is measured, over a few steps on noise in place of CIFAR-10's images. What a count
is worth is seen where a step was measured, in costs/.
"""

import resource
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from unittest import mock

import numpy as np
import torch
from benchmarks.runs import probe_run
from tabulate import tabulate
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from optbench.core.run import Run
from optbench.cost.cost import cost_path, read_cost
from optbench.cost.live_bytes import LiveBytes
from optbench.cost.measure import state_bytes
from optbench.datasets import cifar10, cifar10_sources
from optbench.datasets.images import ImageData
from optbench.supervision.checkpoint import KEPT
from optbench.tasks.image_classification.classification import Classification
from optbench.tasks.image_classification.task import ImageClassification
from optbench.training.assembly import build_learner
from optbench.training.device import set_up_process

WORKLOAD, OPTIMIZER = "cifar10-resnet18", "adamw"
# Where the same count can be held against a measurement, by the side of an image.
MEASURED = {"cifar10-resnet9": 32, "resnet50-step": 224}
CARD_OPERATIONS, CARD_BYTES = 29.8e12, 760e9  # a second, RTX 3080's data sheet: float32, memory
STEPS = 3


class MovedBytes(TorchDispatchMode):
    """Inside, adds up the tensors that each operation reads and writes; a view moves nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            values = [t for t in tree_iter((args, kwargs, result)) if isinstance(t, Tensor)]
            self.total += sum(t.nbytes for t in {id(t): t for t in values}.values())
        return result


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step takes; bytes."""

    weights: int  # parameters and statistics
    state: int  # the optimizer's
    peak: int  # alive at once
    moved: int  # read and written by all operations
    operations: int  # a multiplication and an addition are two


class Shaped(Classification):
    """The task without its data."""

    def __init__(self, side: int) -> None:
        super().__init__(label_smoothing=0.0)
        self.network_args = {"channels": 3, "classes": 10, "sides": (side, side)}


def counted(run: Run, side: int) -> Step:
    """A step of a run on square images, counted as `cost` counts it where it measures."""
    size, device = run.settings.batch_size, torch.device("cpu")
    # ResNet-9's pooling looks at numbers, and so is computed.
    mode = nullcontext() if run.settings.network == "resnet9" else FakeTensorMode()
    with mode, torch.random.fork_rng():
        images = torch.empty(size, 3, side, side).to(memory_format=torch.channels_last)
        batch = images, torch.zeros(size, dtype=torch.long)
        with LiveBytes() as live:
            with mock.patch.object(nn.Module, "to", lambda model, *_, **__: model):
                learner = build_learner(run, Shaped(side), device)  # type: ignore[arg-type]
            learner.model.train()
            learner.step(batch)  # after which AdamW's state is there
            live.reset_peak()
            learner.step(batch)
        with FlopCounterMode(display=False) as operations, MovedBytes() as moved:
            learner.step(batch)
        return Step(
            weights=sum(t.nbytes for t in learner.model.state_dict().values()),
            state=state_bytes(learner.optimizer),
            peak=live.peak,
            moved=moved.total,
            operations=operations.get_total_flops(),
        )


def memory(run: Run) -> int:
    """The most main memory of this process, data included, over a few steps and a scored batch."""
    device = set_up_process(run.settings)
    noise = np.random.default_rng(0).bytes(cifar10.FILE_BYTES * len(cifar10.SHA256))
    images = cifar10.decode(bytes(noise))
    images = replace(images, labels=images.labels % len(cifar10.CLASSES))
    test = np.arange(len(images)) >= cifar10.TRAIN_EXAMPLES
    data = ImageData(
        images.take(~test), images.take(test), cifar10.MEAN, cifar10.STD, cifar10.CLASSES, ""
    )
    args = {"validation_every": 10, **run.settings.task_args}
    task: Any = ImageClassification(data, run.settings, seed=0, device=device, **args)
    learner = build_learner(run, task, device)
    learner.model.train()
    for batch in islice(task.train.epoch(0), STEPS):
        learner.step(batch)
    with torch.inference_mode():
        learner.outputs(task.inputs(next(task.test().epoch(0))))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def storage(step: Step) -> dict[str, int]:
    """What a run puts on the disk; DVC keeps a copy where the file system shares no blocks."""
    stored = cifar10.FILE_BYTES * len(cifar10.SHA256)
    example = len("9,9,0.9999,")  # of a prediction
    return {
        "archive": cifar10_sources.ARCHIVE_BYTES,
        "files": 2 * stored,
        "checkpoints": (KEPT + 1) * (step.weights + step.state),  # a third while it is written
        "weights": 2 * step.weights,
        "predictions": example * cifar10.RECORDS_PER_FILE,
    }


def main() -> None:
    """Prints what `usage` has, and what the counts are worth."""
    run = probe_run(WORKLOAD, OPTIMIZER, device="cpu")
    rows: list[tuple[str, float]] = [("main memory, GB", memory(run) / 1e9)]
    step = counted(run, cifar10.SIDE)
    rows += [(f"{name}, GB", size / 1e9) for name, size in storage(step).items()]
    steps = run.settings.budget.total_steps(cifar10.TRAIN_EXAMPLES // run.settings.batch_size)
    rows += [
        ("alive at once in a step, GB", step.peak / 1e9),
        ("operations of a step, GFLOP", step.operations / 1e9),
        ("moved in a step, GB", step.moved / 1e9),
        ("operations of a run on the card, h", steps * step.operations / CARD_OPERATIONS / 3600),
        ("moved in a run on the card, h", steps * step.moved / CARD_BYTES / 3600),
    ]
    for name, side in MEASURED.items():
        step, cost = (
            counted(probe_run(name, OPTIMIZER), side),
            read_cost(cost_path(name, OPTIMIZER)),
        )
        rows += [
            (f"{name}: alive, counted / measured", step.peak / cost.peak_memory_bytes),
            (f"{name}: GFLOP/s, measured", step.operations / cost.step_time_s / 1e9),
        ]
    print(tabulate(rows, headers=(f"{WORKLOAD}, {OPTIMIZER}", ""), floatfmt=",.4f"))


if __name__ == "__main__":
    main()
