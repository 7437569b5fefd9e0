"""Images per second of training: this pipeline's batches and precision beside a plain loop.

The plain loop is what tutorials show: a DataLoader with two workers, torchvision's transforms,
float32. Both train the same ResNet-18 with the same SGD; their blocks of steps alternate in one
process, so that a machine's drift touches both. `make bench` runs it.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2 as transforms

from optbench.core.images import ImageData
from optbench.core.run import Run, read_params, resolve
from optbench.training.assembly import build_batches, build_learner, build_model, load_data
from optbench.training.device import make_repeatable

# A block is long beside the four batches that the plain loader has ready when it begins.
BLOCKS, STEPS_A_BLOCK = 4, 16


class PlainImages(Dataset[tuple[Tensor, int]]):
    """One transformed image at a time."""

    def __init__(self, data: ImageData) -> None:
        self.images = data.train
        self.transform = transforms.Compose(
            [
                transforms.ToImage(),
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToDtype(torch.float32, scale=True),
                transforms.Normalize(data.mean, data.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images.pixels[index]), int(self.images.labels[index])


def a_run(workload: str) -> Run:
    """SGD with one-cycle on a workload."""
    names = {"workload": workload, "optimizer": "sgd", "schedule": "one_cycle"}
    return resolve(read_params(), **names, seed=0)


def pipeline_steps(run: Run, data: ImageData) -> Iterator[None]:
    """Trains a step at each `next`, as the pipeline does."""
    device = make_repeatable(run.settings)
    learner = build_learner(run, data, device)
    train, _, _ = build_batches(run.settings, data, run.seed, device)
    learner.model.train()
    while True:
        for images, labels in train.epoch(0):
            learner.step(images, labels)
            learner.gradient_norm()
            yield


def plain_steps(run: Run, data: ImageData) -> Iterator[None]:
    """Trains a step at each `next`, as tutorials do."""
    model = build_model(run.settings, data, 0, torch.device("cpu"))
    model = model.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(
        PlainImages(data), batch_size=run.settings.batch_size, shuffle=True, num_workers=2,
        drop_last=True,
    )  # fmt: skip
    while True:
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            yield


def timed(steps: Iterator[None], batch_size: int) -> float:
    """Images per second over a block of steps."""
    start = time.perf_counter()
    for _ in range(STEPS_A_BLOCK):
        next(steps)
    return STEPS_A_BLOCK * batch_size / (time.perf_counter() - start)


def compare(name: str, arms: dict[str, Iterator[None]], batch_size: int) -> None:
    """Prints each arm's median and range, and the ratios to the last arm."""
    for steps in arms.values():
        timed(steps, batch_size)  # warm-up
    speeds: dict[str, list[float]] = {arm: [] for arm in arms}
    for _ in range(BLOCKS):
        for arm, steps in arms.items():
            speeds[arm].append(timed(steps, batch_size))
    base = list(arms)[-1]
    for arm, values in speeds.items():
        ratios = sorted(a / b for a, b in zip(values, speeds[base], strict=True))
        print(
            f"{name}, {arm}: {statistics.median(values):.0f} images/s "
            f"({min(values):.0f} to {max(values):.0f}), {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}) times {base}"
        )


def main() -> None:
    """Prints one line an arm."""
    small, large = a_run("cifar10-resnet9"), a_run("cifar10-resnet18")
    data = load_data(small.settings)
    compare(
        "cifar10-resnet9",
        {"pipeline": pipeline_steps(small, data)},
        small.settings.batch_size,
    )
    full_precision = replace(large, settings=replace(large.settings, precision="fp32"))
    arms: dict[str, Callable[[], Iterator[None]]] = {
        "pipeline bf16": lambda: pipeline_steps(large, data),
        "pipeline fp32": lambda: pipeline_steps(full_precision, data),
        "plain fp32": lambda: plain_steps(large, data),
    }
    compare(
        "ResNet-18, batch 128",
        {arm: start() for arm, start in arms.items()},
        large.settings.batch_size,
    )


if __name__ == "__main__":
    main()
