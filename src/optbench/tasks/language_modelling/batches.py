"""Batches of windows: what stands in a stream of tokens, and what stands one place further."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from optbench.core import randomness
from optbench.core.world import WHOLE, Share

PADDING = -100  # a target that is none; F.cross_entropy's `ignore_index`


class TrainBatches:
    """Windows that begin anywhere; the last, incomplete batch of an epoch is left out."""

    def __init__(
        self, stream: Tensor, *, context: int, batch_size: int, seed: int, device: torch.device
    ) -> None:
        """Where a window begins is a function of (seed, epoch, example).

        Args:
            stream: tokens [n], more than `context` of them.
            context: the tokens of a window.
            batch_size: windows.
            seed: the run's.
            device: where tokens live.
        """
        self.stream = stream.to(device)
        self.context, self.batch_size, self.seed = context, batch_size, seed
        self.examples = (len(stream) - 1) // context  # windows that cover the stream

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.examples // self.batch_size

    def epoch(
        self, epoch: int, start: int = 0, share: Share = WHOLE
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Tokens and their successors, [b, context] each: a share of each batch from `start` on."""
        bits = randomness.words(randomness.key(self.seed, "window", epoch), self.examples)
        places = randomness.integers(bits, len(self.stream) - self.context)
        first = torch.from_numpy(places).to(self.stream.device)  # [examples]
        along = torch.arange(self.context + 1, device=self.stream.device)
        for index in range(start, len(self)):
            batch = first[index * self.batch_size : (index + 1) * self.batch_size]
            batch = share.of(batch)
            windows = self.stream[batch[:, None] + along]  # [b, context + 1]
            yield windows[:, :-1], windows[:, 1:]


class EvalBatches:
    """Windows side by side, each of a single text: all, or some that are spread over all."""

    def __init__(self, windows: tuple[Tensor, Tensor], *, batch_size: int, limit: int | None):
        """`windows`: as `side_by_side` gives them; `limit`: the most to take."""
        self.inputs, self.targets = windows
        self.batch_size = batch_size
        count = len(self.inputs)
        self.examples = count if limit is None else min(limit, count)

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.examples // self.batch_size)

    def epoch(
        self, epoch: int, start: int = 0, share: Share = WHOLE
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Tokens and their successors or `PADDING`, [b, context]; the same in every epoch."""
        device = self.inputs.device
        places = torch.arange(share.index, self.examples, share.count, device=device)
        for first in range(start * self.batch_size, len(places), self.batch_size):
            some = places[first : first + self.batch_size]
            # Of n windows m are taken: numbers 0, n/m, 2n/m, ..., rounded down.
            batch = some * len(self.inputs) // self.examples
            yield self.inputs[batch], self.targets[batch]


def side_by_side(
    texts: Sequence[Tensor], *, before: int, context: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Windows in which each token of each text is a target once.

    Args:
        texts: tokens, [n] each.
        before: the token from which a text's first is predicted.
        context: the tokens of a window. The last of a text may have fewer: it is filled with
            `before`, and its targets with `PADDING`.
        device: where tokens live.

    Returns:
        Tokens and their successors, [windows, context] each.
    """
    inputs: list[Tensor] = []
    targets: list[Tensor] = []
    for text in texts:
        missing = -len(text) % context
        preceded = F.pad(text[:-1], (1, 0), value=before)
        inputs.append(F.pad(preceded, (0, missing), value=before).view(-1, context))
        targets.append(F.pad(text, (0, missing), value=PADDING).view(-1, context))
    return torch.cat(inputs).to(device), torch.cat(targets).to(device)
