"""Batches of images that live on the device as bytes, and are augmented and normalised there."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from optbench.core import randomness
from optbench.core.world import WHOLE, Share
from optbench.datasets.images import ImageData, Images


class DeviceImages:
    """Images that stay on the device, and are normalised batch by batch."""

    def __init__(
        self, images: Images, data: ImageData, device: torch.device, *, padding: int = 0
    ) -> None:
        """`padding`: black pixels added on each side, for crops."""
        pixels = torch.from_numpy(images.pixels)  # [n, h, w, c]
        self.count, self.height, self.width, self.channels = pixels.shape
        self.padding, self.device = padding, device
        padded = F.pad(pixels, (0, 0, padding, padding, padding, padding))
        self.rows, self.columns = padded.shape[1:3]  # of a padded image
        self.pixels = padded.reshape(-1, self.channels).to(device)  # [n * rows * columns, c]
        self.labels = torch.from_numpy(images.labels).to(device)
        # (pixel / 255 - mean) / std as one multiplication and one addition.
        self.scale = (1 / (255 * torch.tensor(data.std))).to(device)
        self.shift = (-torch.tensor(data.mean) / torch.tensor(data.std)).to(device)

    def gather(self, examples: Tensor, top: Tensor, columns: Tensor) -> Tensor:
        """Crops as channels-last images [b, c, height, width].

        Args:
            examples: [b], indices of images.
            top: [b], the first row of each crop in its padded image.
            columns: [b, width], the padded image's column for each column of the crop.
        """
        rows = top[:, None] + torch.arange(self.height, device=self.device)  # [b, height]
        starts = (examples[:, None] * self.rows + rows) * self.columns
        pixels = starts[:, :, None] + columns[:, None, :]  # [b, height, width]
        crops = self.pixels.index_select(0, pixels.flatten())
        images = torch.addcmul(self.shift, crops.float(), self.scale)
        return images.view(-1, self.height, self.width, self.channels).permute(0, 3, 1, 2)


class TrainBatches:
    """Shuffled, cropped and flipped; the last, incomplete batch of an epoch is left out."""

    def __init__(self, images: DeviceImages, *, batch_size: int, seed: int, flip: bool) -> None:
        """Order, crop and flip are functions of (seed, epoch, example)."""
        self.images, self.batch_size, self.seed, self.flip = images, batch_size, seed, flip
        self.examples = images.count

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.examples // self.batch_size

    def epoch(
        self, epoch: int, start: int = 0, share: Share = WHOLE
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [b, c, h, w] and labels [b], a share of each batch, from batch `start` on."""
        images = self.images
        choices = 2 * images.padding + 1
        draws = [
            randomness.permutation(self.seed, epoch, self.examples),
            self._draw("crop-top", epoch, choices),
            self._draw("crop-left", epoch, choices),
            self._draw("flip", epoch, 2 if self.flip else 1),
        ]
        # Together, since a device is waited for at each copy.
        order, top, left, flips = torch.from_numpy(np.stack(draws)).to(images.device)
        flipped = flips.bool()
        across = torch.arange(images.width, device=images.device)
        for index in range(start, len(self)):
            batch = order[index * self.batch_size : (index + 1) * self.batch_size]
            batch = share.of(batch)
            columns = torch.where(flipped[batch, None], across.flip(0), across)
            columns = left[batch, None] + columns
            yield images.gather(batch, top[batch], columns), images.labels[batch]

    def _draw(self, purpose: str, epoch: int, high: int) -> NDArray[np.int64]:
        """An integer in [0, high) for each example; shape [n]."""
        bits = randomness.words(randomness.key(self.seed, purpose, epoch), self.examples)
        return randomness.integers(bits, high)


class EvalBatches:
    """Images in their stored order, unchanged: all of them, or some that are spread over all."""

    def __init__(self, images: DeviceImages, *, batch_size: int, limit: int | None = None) -> None:
        """`limit`: the most images to take; the last batch may be smaller."""
        self.images, self.batch_size = images, batch_size
        self.examples = images.count if limit is None else min(limit, images.count)

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.examples // self.batch_size)

    def epoch(
        self, epoch: int, start: int = 0, share: Share = WHOLE
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [b, c, h, w] and labels [b]; the same in every epoch."""
        images = self.images
        across = torch.arange(images.width, device=images.device)
        places = torch.arange(share.index, self.examples, share.count, device=images.device)
        for first in range(start * self.batch_size, len(places), self.batch_size):
            some = places[first : first + self.batch_size]
            # Of n images m are taken: numbers 0, n/m, 2n/m, ..., rounded down.
            batch = some * images.count // self.examples
            columns = across.expand(len(batch), -1)
            top = torch.zeros_like(batch)
            yield images.gather(batch, top, columns), images.labels[batch]
