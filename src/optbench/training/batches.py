"""Batches of images from a data set that lives on the device, augmented there.

The training loop asks for no more than the protocol `Batches`, so a data set that does not fit
on the device brings a class of its own.
"""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from optbench.core.images import ImageData, Images
from optbench.training import randomness


class Batches(Protocol):
    """What the loop trains and evaluates on."""

    def __len__(self) -> int:
        """Batches an epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [b, channels, height, width], normalised, and labels [b], from a batch on."""
        ...


class DeviceImages:
    """Images that stay on the device as bytes and are normalised batch by batch."""

    def __init__(
        self, images: Images, data: ImageData, batch_size: int, device: torch.device, padding: int
    ) -> None:
        """`padding`: black pixels added on each side, for crops."""
        pixels = torch.from_numpy(images.pixels)  # [n, h, w, c]
        self.side = pixels.shape[1]
        self.stride = self.side + 2 * padding
        self.count, self.channels = pixels.shape[0], pixels.shape[3]
        padded = F.pad(pixels, (0, 0, padding, padding, padding, padding))
        self.pixels = padded.reshape(-1, self.channels).to(device)  # [n * stride^2, c]
        self.labels = torch.from_numpy(images.labels).to(device)
        self.batch_size, self.device = batch_size, device
        # (pixel / 255 - mean) / std as one multiplication and one addition.
        self.scale = (1 / (255 * torch.tensor(data.std))).to(device)
        self.shift = (-torch.tensor(data.mean) / torch.tensor(data.std)).to(device)

    def gather(self, examples: Tensor, top: Tensor, columns: Tensor) -> Tensor:
        """Crops as channels-last images [b, c, side, side].

        Args:
            examples: [b], indices of images.
            top: [b], the first row of each crop in its padded image.
            columns: [b, side], the padded image's column for each column of the crop.
        """
        rows = top[:, None] + torch.arange(self.side, device=self.device)  # [b, side]
        starts = (examples[:, None] * self.stride + rows) * self.stride
        pixels = starts[:, :, None] + columns[:, None, :]  # [b, side, side]
        crops = self.pixels.index_select(0, pixels.flatten())
        images = torch.addcmul(self.shift, crops.float(), self.scale)
        return images.view(-1, self.side, self.side, self.channels).permute(0, 3, 1, 2)


class TrainBatches(DeviceImages):
    """Shuffled, cropped and flipped; the last, incomplete batch of an epoch is left out."""

    def __init__(
        self,
        images: Images,
        data: ImageData,
        *,
        batch_size: int,
        device: torch.device,
        seed: int,
        crop_padding: int,
        flip: bool,
    ) -> None:
        """Order, crop and flip are functions of (seed, epoch, example)."""
        super().__init__(images, data, batch_size, device, crop_padding)
        self.seed, self.crop_padding, self.flip = seed, crop_padding, flip

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.count // self.batch_size

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [batch_size, c, side, side] and labels [batch_size], from batch `start` on."""
        order = torch.from_numpy(randomness.permutation(self.seed, epoch, self.count))
        order = order.to(self.device)
        choices = 2 * self.crop_padding + 1
        top = self._draw("crop-top", epoch, choices)
        left = self._draw("crop-left", epoch, choices)
        flipped = self._draw("flip", epoch, 2 if self.flip else 1).bool()
        across = torch.arange(self.side, device=self.device)
        for index in range(start, len(self)):
            batch = order[index * self.batch_size : (index + 1) * self.batch_size]
            columns = torch.where(flipped[batch, None], across.flip(0), across)
            columns = left[batch, None] + columns
            yield self.gather(batch, top[batch], columns), self.labels[batch]

    def _draw(self, purpose: str, epoch: int, high: int) -> Tensor:
        """An integer in [0, high) for each example, on the device; shape [n]."""
        bits = randomness.words(randomness.key(self.seed, purpose, epoch), self.count)
        return torch.from_numpy(randomness.integers(bits, high)).to(self.device)


class EvalBatches(DeviceImages):
    """All images in their stored order, unchanged."""

    def __init__(
        self, images: Images, data: ImageData, *, batch_size: int, device: torch.device
    ) -> None:
        """The last batch may be smaller."""
        super().__init__(images, data, batch_size, device, padding=0)

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.count // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [b, c, side, side] and labels [b]; the same in every epoch."""
        across = torch.arange(self.side, device=self.device)
        for first in range(start * self.batch_size, self.count, self.batch_size):
            stop = min(first + self.batch_size, self.count)
            batch = torch.arange(first, stop, device=self.device)
            columns = across.expand(len(batch), -1)
            yield self.gather(batch, torch.zeros_like(batch), columns), self.labels[batch]
