"""Images per second of training: this pipeline beside a plain loop and beside matrix products.

The plain loop is what tutorials show: a DataLoader with two workers, torchvision's transforms,
float32. Each arm is a process of its own, since what a pipeline asks of malloc holds for its
process; their blocks of steps alternate, so that a machine's drift touches all. `make bench` runs
it.
"""

import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2 as transforms

from optbench.core.images import ImageData
from optbench.core.run import Run, Workload, read_params, resolve
from optbench.training.assembly import build_batches, build_learner, build_model, load_data
from optbench.training.device import set_up_process

BLOCKS, BLOCK_S = 3, 5.0
# A block is long beside the four batches that the plain loader has ready when it begins.
MIN_STEPS = 12
MATRIX_SIZES = (1024, 2048, 4096)
UNSEEN_SEED = 999_999
# What of a step's time is whose; an operation belongs to the first part that names it.
PARTS = {
    "convolutions": ("convolution",),
    "BatchNorm": ("batch_norm",),
    "pooling": ("pool", "fill_"),
    "ReLU": ("clamp_min", "threshold"),
    "optimizer": ("optimizer", "fused_sgd", "norm"),
    "crops, flips, normalisation": ("index", "addcmul"),
}


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


def pipeline_steps(run: Run, data: ImageData) -> Iterator[None]:
    """Trains a step at each `next`, as the pipeline does."""
    device = set_up_process(run.settings)
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
    torch.set_num_threads(run.settings.threads)
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


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to train, served by a process."""

    name: str
    run: Run
    steps: Callable[[Run, ImageData], Iterator[None]] = pipeline_steps


def serve(arm: Arm, connection: Connection) -> None:
    """Sends how much work an image is, then images per second of a block for each request."""
    data = load_data(arm.run.settings)
    steps = arm.steps(arm.run, data)
    for _ in range(3):
        next(steps)
    with FlopCounterMode(display=False) as counter:
        next(steps)
    connection.send(counter.get_total_flops() / arm.run.settings.batch_size)
    while connection.recv():
        start, count = time.perf_counter(), 0
        while count < MIN_STEPS or time.perf_counter() - start < BLOCK_S:
            next(steps)
            count += 1
        connection.send(count * arm.run.settings.batch_size / (time.perf_counter() - start))


def serve_products(threads: int, connection: Connection) -> None:
    """Sends the rate of bf16 matrix products, the best of several sizes, for each request."""
    torch.set_num_threads(threads)
    pairs = [torch.randn(2, n, n, dtype=torch.bfloat16) for n in MATRIX_SIZES]
    while connection.recv():
        rates = []
        for n, (a, b) in zip(MATRIX_SIZES, pairs, strict=True):
            times = []
            for _ in range(12):
                start = time.perf_counter()
                torch.mm(a, b)
                times.append(time.perf_counter() - start)
            rates.append(2 * n**3 / statistics.median(times))
        connection.send(max(rates))


class Server:
    """A process that answers each request with a number."""

    def __init__(self, serve: Callable[..., None], subject: object) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(subject, theirs), daemon=False)
        self.process.start()

    def ask(self) -> float:
        self.connection.send(True)
        return float(self.connection.recv())

    def stop(self) -> None:
        self.connection.send(False)
        self.process.join()


def compare(title: str, arms: list[Arm]) -> None:
    """Prints each arm's median and range, its ratio to the last, and its share of the products."""
    products = Server(serve_products, arms[0].run.settings.threads)
    servers = {arm.name: Server(serve, arm) for arm in arms}
    work = {name: float(server.connection.recv()) for name, server in servers.items()}
    speeds: dict[str, list[float]] = defaultdict(list)
    rates = []
    for _ in range(BLOCKS):
        rates.append(products.ask())
        for name, server in servers.items():
            speeds[name].append(server.ask())
    for server in (products, *servers.values()):
        server.stop()
    base = speeds[arms[-1].name]
    print(
        f"{title}: bf16 matrix products {spread(rates, scale=1e-12)} TFLOP/s; an image is "
        f"{work[arms[0].name] / 1e6:.0f} MFLOP"
    )
    for name, values in speeds.items():
        ratios = [own / other for own, other in zip(values, base, strict=True)]
        shares = [v * work[name] / rate for v, rate in zip(values, rates, strict=True)]
        print(
            f"  {name}: {spread(values)} images/s, {spread(ratios, digits=2)} times "
            f"{arms[-1].name}, {spread(shares, digits=2)} of the products' rate",
            flush=True,
        )


def spread(values: list[float], *, digits: int | None = None, scale: float = 1.0) -> str:
    """The median and the range."""
    if digits is None:
        digits = 0 if scale == 1.0 else 2
    low, middle, high = (
        f"{scale * value:.{digits}f}"
        for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} ({low} to {high})"


def print_parts(run: Run, data: ImageData) -> None:
    """Prints what a step's time goes to, operation by operation."""
    steps = pipeline_steps(run, data)
    for _ in range(8):
        next(steps)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(8):
            next(steps)
    times: dict[str, float] = defaultdict(float)
    for event in profiler.key_averages():
        name = event.key.lower()
        part = next((p for p, names in PARTS.items() if any(n in name for n in names)), "the rest")
        times[part] += event.self_cpu_time_total
    total = sum(times.values())
    listed = sorted(times.items(), key=lambda item: -item[1])
    print("  a step: " + ", ".join(f"{part} {time / total:.0%}" for part, time in listed))


def first_step_s(workload: str) -> float:
    """Seconds from the start of a cell's stage until its first step is done and kept."""
    name = f"{workload}/suite/sgd-cosine-{UNSEEN_SEED}"
    kept = Path("scratch/checkpoints") / name
    command = [sys.executable, "stages/train.py", workload, "sgd", "cosine", str(UNSEEN_SEED)]
    start = time.perf_counter()
    stage = subprocess.Popen(
        command, env={**os.environ, "OPTBENCH_CHECKPOINT_S": "0"}, stdout=subprocess.DEVNULL
    )
    while not list(kept.glob("*/*.checkpoint")):
        if stage.poll() is not None:
            raise RuntimeError(f"{' '.join(command)}: exit code {stage.returncode}")
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    stage.send_signal(signal.SIGKILL)
    stage.wait()
    for folder in (kept, Path("results") / name):
        shutil.rmtree(folder, ignore_errors=True)
    return seconds


def a_run(workload: str, **changes: object) -> Run:
    """SGD with one-cycle on a workload, some settings changed."""
    names = {"workload": workload, "optimizer": "sgd", "schedule": "one_cycle"}
    run = resolve(read_params(), **names, seed=0)
    settings: Workload = replace(run.settings, **changes)  # type: ignore[arg-type]
    return replace(run, settings=settings)


def main() -> None:
    """Prints a few lines a workload."""
    for workload in ("cifar10-resnet9", "cifar10-resnet18"):
        run = a_run(workload)
        half, twice = run.settings.batch_size // 2, run.settings.batch_size * 2
        compare(
            f"{workload}, batch {run.settings.batch_size}",
            [
                Arm(name="pipeline", run=run),
                Arm(name="pipeline, compiled", run=a_run(workload, compile=True)),
                Arm(name=f"pipeline, batch {half}", run=a_run(workload, batch_size=half)),
                Arm(name=f"pipeline, batch {twice}", run=a_run(workload, batch_size=twice)),
                Arm(name="plain loop, fp32", run=run, steps=plain_steps),
            ],
        )
        print_parts(run, load_data(run.settings))
        starts = [first_step_s(workload) for _ in range(5)]
        print(f"  start of a stage to its first step: {spread(starts, digits=1)} s", flush=True)


if __name__ == "__main__":
    main()
