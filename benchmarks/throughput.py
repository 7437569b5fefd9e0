"""Images per second of training: this pipeline beside a plain loop and beside matrix products.

The plain loop is what tutorials show: a DataLoader with two workers, torchvision's transforms,
float32. Each way to train is a process of its own, since what a pipeline asks of malloc holds for
its process; their blocks of steps alternate, so that a machine's drift touches all. `make bench`
runs it.
"""

import argparse
import multiprocessing
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from benchmarks.runs import arm_run, spread
from benchmarks.trivial import ENVIRONMENT
from torch import Tensor, nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2 as transforms

from optbench.core import registry
from optbench.core.arm import Arm
from optbench.core.files import publish
from optbench.core.run import Run, plan_of
from optbench.datasets.images import ImageData
from optbench.params.plan import as_json
from optbench.training.assembly import DATA, build_learner, build_model, build_task
from optbench.training.device import set_up_process

ARM = Arm("sgd", "one_cycle")
BLOCKS, BLOCK_S = 3, 5.0
# A block is long beside the four batches that the plain loader has ready when it begins.
MIN_STEPS = 12
MATRIX_SIZES = (1024, 2048, 4096)
TRAINER = Path(__file__).parents[1] / "stages/train.py"
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
                transforms.RandomCrop(data.train.pixels.shape[1:3], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToDtype(torch.float32, scale=True),
                transforms.Normalize(data.mean, data.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images.pixels[index]), int(self.images.labels[index])


def pipeline_steps(run: Run) -> Iterator[None]:
    """Trains a step at each `next`, as the pipeline does."""
    device = set_up_process(run.settings)
    task = build_task(run.settings, run.seed, device)
    learner = build_learner(run, task, device)
    learner.model.train()
    while True:
        for batch in task.train.epoch(0):
            learner.step(batch)
            yield


def plain_steps(run: Run) -> Iterator[None]:
    """Trains a step at each `next`, as tutorials do."""
    settings, cpu = run.settings, torch.device("cpu")
    torch.set_num_threads(settings.threads)
    model = build_model(settings, build_task(settings, run.seed, cpu), run.seed, cpu)
    model = model.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()
    data: ImageData = registry.load("datasets", settings.dataset).load(DATA / settings.dataset)
    loader = DataLoader(
        PlainImages(data), batch_size=settings.batch_size, shuffle=True, num_workers=2,
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
class Way:
    """A way to train, served by a process."""

    name: str
    run: Run
    steps: Callable[[Run], Iterator[None]] = pipeline_steps


def serve(way: Way, connection: Connection) -> None:
    """Sends how much work an image is, then images per second of a block for each request."""
    steps, batch_size = way.steps(way.run), way.run.settings.batch_size
    for _ in range(3):
        next(steps)
    with FlopCounterMode(display=False) as counter:
        next(steps)
    connection.send(counter.get_total_flops() / batch_size)
    while connection.recv():
        start, count = time.perf_counter(), 0
        while count < MIN_STEPS or time.perf_counter() - start < BLOCK_S:
            next(steps)
            count += 1
        connection.send(count * batch_size / (time.perf_counter() - start))


def serve_products(threads: int, connection: Connection) -> None:
    """Sends the rate of bf16 matrix products, the best of several sizes, for each request."""
    torch.set_num_threads(threads)
    pairs = [torch.randn(2, n, n, dtype=torch.bfloat16) for n in MATRIX_SIZES]
    while connection.recv():
        rates = []
        for n, (a, b) in zip(MATRIX_SIZES, pairs, strict=True):
            rates.append(2 * n**3 / median_s(partial(torch.mm, a, b)))
        connection.send(max(rates))


class Server:
    """A process that answers each request with a number."""

    def __init__(self, serve: Callable[..., None], subject: object) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(subject, theirs), daemon=False)
        self.process.start()
        theirs.close()  # so that whoever waits for an answer learns of the process's end

    def ask(self) -> float:
        self.connection.send(True)
        return float(self.connection.recv())

    def stop(self) -> None:
        self.connection.send(False)
        self.process.join()


def compare(title: str, ways: list[Way]) -> float:
    """Prints each way's median and range, its ratio to the last, and its share of the products.

    Returns the operations for an image, forward and backward.
    """
    products = Server(serve_products, ways[0].run.settings.threads)
    servers = {way.name: Server(serve, way) for way in ways}
    work = {name: float(server.connection.recv()) for name, server in servers.items()}
    speeds: dict[str, list[float]] = defaultdict(list)
    rates = []
    for _ in range(BLOCKS):
        rates.append(products.ask())
        for name, server in servers.items():
            speeds[name].append(server.ask())
    for server in (products, *servers.values()):
        server.stop()
    base = ways[-1].name
    print(
        f"{title}: bf16 matrix products {spread([rate / 1e12 for rate in rates], digits=2)} "
        f"TFLOP/s; an image is {work[ways[0].name] / 1e6:.0f} MFLOP"
    )
    for name, values in speeds.items():
        ratios = [value / plain for value, plain in zip(values, speeds[base], strict=True)]
        shares = [v * work[name] / rate for v, rate in zip(values, rates, strict=True)]
        print(
            f"  {name}: {spread(values)} images/s, {spread(ratios, digits=2)} times {base}, "
            f"{spread(shares, digits=2)} of the products' rate",
            flush=True,
        )
    return work[ways[0].name]


def print_parts(run: Run) -> None:
    """Prints what a step's time goes to, operation by operation."""
    steps = pipeline_steps(run)
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


def ceiling(run: Run, work: float) -> str:
    """Images per second if every convolution ran at the best one's rate, each tensor moved once.

    Args:
        run: whose network it is.
        work: operations for an image, forward and backward.
    """
    settings, cpu = run.settings, torch.device("cpu")
    torch.set_num_threads(settings.threads)
    model = build_model(settings, task := build_task(settings, run.seed, cpu), run.seed, cpu)
    rates, numbers = [], 0

    def measure(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal numbers
        numbers += output.numel()
        if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1):
            images, weight = inputs[0].bfloat16(), layer.weight.bfloat16()
            convolution = partial(F.conv2d, images, weight, None, layer.stride, layer.padding)
            rates.append(2 * output.numel() * weight[0].numel() / median_s(convolution))

    for layer in model.modules():
        if not list(layer.children()):
            layer.register_forward_hook(measure)
    with torch.no_grad():
        model(task.inputs(next(iter(task.train.epoch(0)))))
    source, target = torch.zeros(2, 2**26)
    bandwidth = 2 * source.nbytes / median_s(partial(target.copy_, source))
    # A bfloat16 is written and read, on the way forward and back.
    moved_s = 4 * 2 * numbers / settings.batch_size / bandwidth
    return (
        f"{1 / (work / max(rates) + moved_s):.0f} images/s with every convolution at the rate of "
        f"the best, {max(rates) / 1e12:.2f} TFLOP/s, and each tensor moved once, at "
        f"{bandwidth / 1e9:.1f} GB/s"
    )


def median_s(call: Callable[[], object]) -> float:
    """The median time of a call, of twelve."""
    times = []
    for _ in range(12):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def first_step_s(run: Run) -> float:
    """Seconds from the start of a cell's stage, in a folder of its own, to its first checkpoint.

    With a checkpoint after each step, that is when the first step is done and kept.
    """
    command = [sys.executable, str(TRAINER), run.workload]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").symlink_to(Path("data").absolute())
        publish(folder / plan_of(run.workload) / "run.json", as_json(run.as_dict()))
        start = time.perf_counter()
        stage = subprocess.Popen(
            command, cwd=folder, env={**ENVIRONMENT, "OPTBENCH_CHECKPOINT_S": "0"},
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        while not list(folder.glob("scratch/checkpoints/**/*.checkpoint")):
            if stage.poll() is not None:
                raise RuntimeError(f"{' '.join(command)}: exit code {stage.returncode}")
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        stage.send_signal(signal.SIGKILL)
        stage.wait()
    return seconds


def main() -> None:
    """Prints a few lines a workload."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = ["cifar10-resnet9", "cifar10-resnet18"]
    parser.add_argument("workloads", nargs="*", default=known, help="of images")
    for workload in parser.parse_args().workloads:
        run = arm_run(workload, ARM)
        size = run.settings.batch_size
        others = {
            "compiled": arm_run(workload, ARM, compile=True),
            f"batch {size // 2}": arm_run(workload, ARM, batch_size=size // 2),
            f"batch {size * 2}": arm_run(workload, ARM, batch_size=size * 2),
        }
        work = compare(
            f"{workload}, batch {size}",
            [
                Way(name="pipeline", run=run),
                *(Way(name=f"pipeline, {name}", run=other) for name, other in others.items()),
                Way(name="plain loop, fp32", run=run, steps=plain_steps),
            ],
        )
        print(f"  ceiling: {ceiling(run, work)}", flush=True)
        print_parts(run)
        starts = [first_step_s(run) for _ in range(5)]
        print(f"  start of a stage to its first step: {spread(starts, digits=1)} s", flush=True)


if __name__ == "__main__":
    main()
