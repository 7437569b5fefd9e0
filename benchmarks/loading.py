"""Images per second that a core reads, decodes and cuts, beside torchvision's ImageFolder.

Photographs that scikit-learn ships stand for ImageNet's: cut to 500 x 375 pixels and stored as
ImageNet's are, 110 kB on average, in a folder tree. Both ways read the same files in one process
and in two; blocks alternate, so that a machine's drift touches both. Then ResNet-50 trains, and the
share of its steps is told that is spent waiting for images. `--images` may name a train/ of
ImageNet in their place.
"""

import argparse
import hashlib
import io
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.runs import spread
from PIL import Image
from sklearn.datasets import load_sample_images
from tabulate import tabulate
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import resnet50
from torchvision.transforms import v2 as transforms

from optbench.core.cores import usable_cores
from optbench.core.files import publish
from optbench.core.random_access import shuffled
from optbench.datasets.image_decoder import decode
from optbench.datasets.image_files import ImageFiles
from optbench.datasets.image_manifest import MANIFEST, ROW, to_npy
from optbench.datasets.image_source import LOCATION, walk_tree
from optbench.datasets.manifest_making import Shard, examined
from optbench.tasks.image_stream.batches import Normalisation, TrainBatches
from optbench.tasks.image_stream.loader import Loader, Reader
from optbench.tasks.image_stream.parts import whole
from optbench.tasks.image_stream.views import train_view

FOLDER = Path("scratch/benchmark/images")
CLASSES, EACH = 4, 100
SIZE = (500, 375)  # of most of ImageNet's
QUALITY = 96  # gives some 110 kB, ImageNet's mean
SIDE, BATCH_SIZE, PREFETCH = 224, 32, 2
BLOCKS, BLOCK_BATCHES = 5, 8
WARMUP_STEPS = 1
CPU = torch.device("cpu")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def write_images(folder: Path) -> None:
    """Parts of two photographs, scaled by a factor of their own each."""
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for number in range(CLASSES * EACH):
        photo = photos[number % 2]
        width = int(rng.integers(400, 640))
        height = width * 3 // 4
        left, top = (int(rng.integers(0, max(1, a - b))) for a, b in
                     zip(photo.size, (width, height), strict=True))  # fmt: skip
        file = io.BytesIO()
        part = photo.crop((left, top, left + width, min(photo.height, top + height)))
        part.resize(SIZE, Image.Resampling.BICUBIC).save(file, "JPEG", quality=QUALITY)
        publish(folder / f"c{number % CLASSES}" / f"{number:04}.JPEG", file.getvalue())


def files_of(place: Path) -> ImageFiles:
    """The images of a tree, with a manifest of them."""
    walked = np.sort(np.array(list(walk_tree(place)), dtype=LOCATION), order="name")
    index, manifest = FOLDER / "index.npy", FOLDER / MANIFEST
    publish(index, to_npy(walked))
    files = ImageFiles(
        place=place.absolute(), index=index.absolute(), manifest=None, first=0, way_out=""
    )
    made = examined(Shard(files, 0, range(len(walked)), manifest))
    rows = np.zeros(len(walked), dtype=ROW)
    rows["name"] = walked["name"]
    rows["length"], rows["sha256"] = made["length"], made["sha256"]
    publish(manifest, to_npy(rows))
    return ImageFiles(
        place=place.absolute(), index=index.absolute(), manifest=manifest.absolute(), first=0,
        way_out="",
    )  # fmt: skip


def ours(
    files: ImageFiles, workers: int, device: torch.device = CPU
) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised batches, without end."""
    reader = Reader(train=files, test=files, seed=0, side=SIDE, flip=True)
    loader = Loader(
        reader, batch_size=BATCH_SIZE, workers=workers, prefetch=PREFETCH,
        pin_memory=device.type == "cuda",
    )  # fmt: skip
    batches = TrainBatches(
        loader, Normalisation(MEAN, STD, device), examples=len(files), ids=whole,
        batch_size=BATCH_SIZE, seed=0,
    )  # fmt: skip
    epoch = 0
    while True:
        yield from batches.epoch(epoch)
        epoch += 1


def plain(place: Path, workers: int) -> Iterator[object]:
    """The same as tutorials do it."""
    transform = transforms.Compose([
        transforms.RandomResizedCrop(SIDE), transforms.RandomHorizontalFlip(),
        transforms.ToImage(), transforms.ToDtype(torch.float32, scale=True),
        transforms.Normalize(MEAN, STD),
    ])  # fmt: skip
    options: dict[str, Any] = {
        "multiprocessing_context": "spawn", "persistent_workers": True, "prefetch_factor": PREFETCH,
    }  # fmt: skip
    loader = DataLoader(
        ImageFolder(str(place), transform), batch_size=BATCH_SIZE, shuffle=True, drop_last=True,
        num_workers=workers, **(options if workers else {}),
    )  # fmt: skip
    while True:
        yield from loader


def images_per_second(batches: Iterator[object], count: int) -> float:
    """Of some batches."""
    start = time.perf_counter()
    for _ in range(count):
        next(batches)
    return count * BATCH_SIZE / (time.perf_counter() - start)


def median_ms(call: Callable[[int], object], count: int) -> float:
    """The median time of a call on each of the first examples."""
    times = []
    for example in range(count):
        start = time.perf_counter()
        call(example)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def print_parts(files: ImageFiles) -> None:
    """Where the time of an image goes."""
    contents = [files.read(example) for example in range(100)]
    images = [decode(content) for content in contents]
    parts = {
        "reading": median_ms(files.read, 100),
        "sha256": median_ms(lambda i: hashlib.sha256(contents[i]).digest(), 100),
        "decoding": median_ms(lambda i: decode(contents[i]), 100),
        "crop, scale, flip": median_ms(
            lambda i: train_view(images[i], i, seed=0, epoch=0, side=SIDE, flip=True), 100
        ),
    }
    work = parts["decoding"] + parts["crop, scale, flip"]
    positions = np.arange(256)
    order = median_ms(lambda i: shuffled(positions, 1_281_167, stream=i), 100) / len(positions)
    listed = ", ".join(f"{name} {ms:.3f} ms" for name, ms in parts.items())
    print(
        f"an image of {np.mean([len(c) for c in contents]) / 1000:.0f} kB: {listed}, its place in "
        f"the order {order:.4f} ms; sha256 is {parts['sha256'] / work:.1%} of decoding and cropping"
    )


def print_waiting(files: ImageFiles, steps: int) -> None:
    """The share of ResNet-50's steps that is spent waiting for images."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    workers = max(1, usable_cores() - 1)
    model = resnet50().to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    batches = ours(files, workers, device)
    times = []
    for _ in range(steps + WARMUP_STEPS):
        start = time.perf_counter()
        images, labels = next(batches)
        waited = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = functional.cross_entropy(model(images), labels)
        torch.autograd.backward(loss)
        optimizer.step()
        loss.item()  # waits for the device
        times.append((waited - start, time.perf_counter() - start))
    waits, lengths = map(sum, zip(*times[WARMUP_STEPS:], strict=True))
    print(
        f"ResNet-50, {device}, batch {BATCH_SIZE}, {workers} workers: {lengths / steps:.2f} s a "
        f"step, of which {waits / lengths:.1%} waiting for images"
    )


def resident_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def print_memory(files: ImageFiles, images: int) -> None:
    """How memory grows over many images in one process."""
    batches = ours(files, 0)
    sizes = []
    for number in range(images // BATCH_SIZE):
        next(batches)
        if number % (images // BATCH_SIZE // 4) == 0:
            sizes.append(resident_bytes() / 1e6)
    print(f"memory over {images:,} images, MB: {', '.join(f'{size:.0f}' for size in sizes)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="a folder of folders of images")
    parser.add_argument("--count", type=int, default=10_000, help="images that memory is told over")
    parser.add_argument("--steps", type=int, default=3, help="of ResNet-50")
    args = parser.parse_args()
    torch.set_num_threads(1)
    place = args.images or FOLDER / "train"
    if args.images is None:
        shutil.rmtree(FOLDER, ignore_errors=True)
        write_images(place)
    files = files_of(place)
    print_parts(files)
    rows = []
    for workers in (0, 2):
        ways = {"ours": ours(files, workers), "ImageFolder": plain(place, workers)}
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for batches in ways.values():
            start = time.perf_counter()
            next(batches)
            print(f"{workers} workers: first batch after {time.perf_counter() - start:.1f} s")
        for _ in range(BLOCKS):
            for name, batches in ways.items():
                # What lies ready when a block begins does not count.
                images_per_second(batches, workers * PREFETCH + 1)
                speeds[name].append(images_per_second(batches, BLOCK_BATCHES))
        cores = max(1, workers)
        ratios = [a / b for a, b in zip(*speeds.values(), strict=True)]
        rows.append([
            workers, *(spread([v / cores for v in values]) for values in speeds.values()),
            spread(ratios, digits=2),
        ])  # fmt: skip
    print("images per second and core:")
    print(tabulate(rows, headers=["workers", "ours", "ImageFolder", "ratio"]))
    print_memory(files, args.count)
    print_waiting(files, args.steps)


if __name__ == "__main__":
    main()
