"""Batches of images that are read as they are needed, and normalised on the device."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from optbench.core import randomness
from optbench.core.random_access import shuffled
from optbench.core.world import WHOLE, Share
from optbench.tasks.image_stream.loader import Loader, Request
from optbench.tasks.image_stream.parts import Examples


class Normalisation:
    """From bytes to what a network takes."""

    def __init__(
        self, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
    ) -> None:
        """`mean` and `std`: per channel, of pixels / 255."""
        self.device = device
        # (pixel / 255 - mean) / std as one multiplication and one addition.
        self.scale = (1 / (255 * torch.tensor(std))).to(device)
        self.shift = (-torch.tensor(mean) / torch.tensor(std)).to(device)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Channels-last images [b, 3, side, side] of bytes [b, side, side, 3]."""
        pixels = pixels.to(self.device, non_blocking=True)
        return torch.addcmul(self.shift, pixels.float(), self.scale).permute(0, 3, 1, 2)


class TrainBatches:
    """Shuffled, cut and flipped; the last, incomplete batch of an epoch is left out."""

    def __init__(
        self,
        loader: Loader,
        normalise: Normalisation,
        *,
        examples: int,
        ids: Examples,
        batch_size: int,
        seed: int,
    ) -> None:
        """Order, part and flip are functions of (seed, epoch, example).

        Args:
            loader: reads.
            normalise: what it has read.
            examples: an epoch.
            ids: those of the examples, by position.
            batch_size: images.
            seed: the run's.
        """
        self.loader, self.normalise, self.ids = loader, normalise, ids
        self.examples, self.batch_size, self.seed = examples, batch_size, seed

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.examples // self.batch_size

    def epoch(
        self, epoch: int, start: int = 0, share: Share = WHOLE
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [b, 3, side, side] and labels [b], a share of each batch from `start` on."""
        stream = randomness.key(self.seed, "order", epoch)

        def request(index: int) -> Request:
            places = index * self.batch_size + np.array(share.places(self.batch_size))
            return Request("train", self.ids(shuffled(places, self.examples, stream=stream)), epoch)

        served = self.loader.serve(len(self), request, start=start)
        for pixels, labels in served:
            yield self.normalise(pixels), labels.to(self.normalise.device, non_blocking=True)


class EvalBatches:
    """The middle of images in their order: of all, or of some that are spread over all."""

    def __init__(
        self,
        loader: Loader,
        normalise: Normalisation,
        *,
        count: int,
        ids: Examples,
        of_training: bool,
        batch_size: int,
        limit: int | None,
    ) -> None:
        """`of_training`: whether ids are those of training examples; `limit`: the most to take."""
        self.loader, self.normalise, self.ids = loader, normalise, ids
        self.count, self.of_training, self.batch_size = count, of_training, batch_size
        self.examples = count if limit is None else min(limit, count)

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.examples // self.batch_size)

    def epoch(
        self, epoch: int, start: int = 0, share: Share = WHOLE
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [b, 3, side, side] and labels [b]; the same in every epoch."""
        dealt = share.places(self.examples)

        def request(index: int) -> Request:
            some = np.array(dealt[index * self.batch_size : (index + 1) * self.batch_size])
            # Of n images m are taken: numbers 0, n/m, 2n/m, ..., rounded down.
            places = some * self.count // self.examples
            return Request("train" if self.of_training else "test", self.ids(places), None)

        served = self.loader.serve(-(-len(dealt) // self.batch_size), request, start=start)
        for pixels, labels in served:
            yield self.normalise(pixels), labels.to(self.normalise.device, non_blocking=True)
