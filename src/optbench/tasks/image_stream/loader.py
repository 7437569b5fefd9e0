"""Reads, decodes and cuts batches of images in worker processes, by torch's DataLoader.

What is to be read is said in full by each request, so a process holds no generator and no place in
an epoch: however many there are, the bits are the same, and any batch can be the first. Processes
live until the run ends, and serve training and scoring in turn.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from optbench.core.errors import UsageError
from optbench.core.parent import end_with
from optbench.core.random_access import Positions
from optbench.datasets.image_decoder import ignore_corrupt_exif
from optbench.datasets.image_files import ImageFiles
from optbench.tasks.image_stream.views import evaluation_view, train_view

SHARED_MEMORY = Path("/dev/shm")
WORKERS = "OPTBENCH_WORKERS"  # overrules how many processes there are; it changes no bit

Pixels = tuple[Tensor, Tensor]  # bytes [b, side, side, 3], and labels [b]


@dataclass(frozen=True)
class Request:
    """A batch: which examples of which split, [b], and how they are seen."""

    split: Literal["train", "test"]
    examples: Positions
    epoch: int | None  # whose random parts are taken; None: the middle, as for scoring


@dataclass(frozen=True, kw_only=True)
class Reader(Dataset[Pixels | UsageError]):
    """Answers requests, in whichever process."""

    train: ImageFiles
    test: ImageFiles
    seed: int
    side: int
    flip: bool

    def __getitem__(self, request: Request) -> Pixels | UsageError:
        """Pixels and labels of a batch; an error is an answer too, for whoever asked to raise."""
        files = self.train if request.split == "train" else self.test
        pixels = np.empty((len(request.examples), self.side, self.side, 3), dtype=np.uint8)
        labels = np.empty(len(request.examples), dtype=np.int64)
        try:
            for row, example in enumerate(request.examples.tolist()):
                image, labels[row] = files.image(example), files.label(example)
                if request.epoch is None:
                    pixels[row] = evaluation_view(image, self.side)
                else:
                    pixels[row] = train_view(
                        image, example, seed=self.seed, epoch=request.epoch, side=self.side,
                        flip=self.flip,
                    )  # fmt: skip
        except UsageError as error:
            return error
        return torch.from_numpy(pixels), torch.from_numpy(labels)


class Requests(Sampler[Request]):
    """What the loader asks for: whatever was put here last."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.upcoming: Iterator[Request] = iter(())

    def __iter__(self) -> Iterator[Request]:
        """The requests that are left."""
        return self.upcoming


def start_worker(_: int, *, parent: int) -> None:
    """Sets up a process that reads, which ends with the one that asks.

    Torch's look at the parent misses one that ended before this process had started.
    """
    ignore_corrupt_exif()
    end_with(parent)


class Loader:
    """Batches in the order of requests, read ahead by processes that stay.

    Who asks while another is being served gets other workers; else there is one set.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        batch_size: int,
        workers: int,
        prefetch: int,
        pin_memory: bool,
        worker_init: Callable[..., None] = start_worker,
    ) -> None:
        """Starts nothing yet.

        Args:
            reader: what processes are given.
            batch_size: the most images of a request.
            workers: processes; 0: batches are read in this one, when they are asked for.
            prefetch: batches that each process has ready.
            pin_memory: whether batches go to memory from which a GPU can fetch them.
            worker_init: called at the start of each process, with its number and its `parent`.

        Raises:
            UsageError: memory that processes share is too small for what they have ready.
        """
        self.reader, self.workers, self.prefetch = reader, workers, prefetch
        self.pin_memory, self.worker_init = pin_memory, worker_init
        self.shared_images = (workers * prefetch + 1) * batch_size if workers else 0
        self.idle = [self._data_loader()]

    def _data_loader(self) -> DataLoader[Pixels | UsageError]:
        """One that serves what is put into its sampler; processes start with the first request."""
        require_shared_memory(images=self.shared_images, image_bytes=3 * self.reader.side**2)
        if not self.workers:
            ignore_corrupt_exif()
        options = {
            "multiprocessing_context": "spawn", "prefetch_factor": self.prefetch,
            "persistent_workers": True,
            "worker_init_fn": partial(self.worker_init, parent=os.getpid()),
        }  # fmt: skip
        return DataLoader(
            self.reader,
            batch_size=None,
            sampler=Requests(),
            num_workers=self.workers,
            pin_memory=self.pin_memory,
            # Else it would draw from torch's generator, on whose state networks depend.
            generator=torch.Generator(),
            **(options if self.workers else {}),  # type: ignore[arg-type]
        )

    def serve(
        self, count: int, request: Callable[[int], Request], *, start: int
    ) -> Iterator[Pixels]:
        """The batches `start` to `count` of some that `request` says by number.

        Raises:
            UsageError: an image cannot be read, is another than the manifest's, or does not
                decode; or a process was killed.
        """
        loader = self.idle.pop() if self.idle else self._data_loader()
        upcoming = (request(index) for index in range(start, count))
        cast(Requests, loader.sampler).upcoming = upcoming
        try:
            for batch in loader:
                if isinstance(batch, UsageError):
                    # Another one: the traceback of `batch` would hold this frame, which has it.
                    raise type(batch)(*batch.args)
                yield batch
        except (RuntimeError, ConnectionError, EOFError) as error:
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            raise UsageError(
                f"a process that reads images was killed ({error}), perhaps for its memory: run "
                f"this again, it goes on; with fewer of them by {WORKERS} in the environment, if "
                "need be"
            ) from error
        finally:
            upcoming.close()  # else it would refer to whoever asked, and processes outlive them
            self.idle.append(loader)


def require_shared_memory(*, images: int, image_bytes: int) -> None:
    """There is room for what processes hold ready; where not, torch's would die of a bus error.

    Raises:
        UsageError: there is not.
    """
    needed = images * image_bytes
    if SHARED_MEMORY.is_dir() and (free := shutil.disk_usage(SHARED_MEMORY).free) < needed:
        raise UsageError(
            f"{SHARED_MEMORY} has {free / 1e6:,.0f} MB free, and {images:,} images that workers "
            f"have ready need {needed / 1e6:,.0f}: give a container more, as in `docker run "
            f"--shm-size={needed / 1e9 + 1:.0f}g`, or have fewer: {WORKERS} in the environment, "
            "or task_args.prefetch"
        )


def workers_of(configured: int) -> int:
    """How many processes read: as the environment says, else as configured.

    Raises:
        UsageError: what the environment says is no number.
    """
    said = os.environ.get(WORKERS)
    if said is None:
        return configured
    if not said.isdecimal():
        raise UsageError(f"{WORKERS} must be a number of processes, 0 or more, got {said!r}")
    return int(said)
