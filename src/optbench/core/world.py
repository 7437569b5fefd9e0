"""The processes that train one run together, each on its share of every batch.

What all must agree on goes through here. Of one process nothing is sent, and everything is as
without it. Numbers that Python reads go through memory of the CPU, so that no device is waited for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Share:
    """Whose turn it is where things are dealt in turn: those at `index`, `index + count`, ..."""

    index: int = 0
    count: int = 1

    def places(self, total: int) -> range:
        """The places of a share among `total` things."""
        return range(self.index, total, self.count)

    def of(self, rows: Tensor) -> Tensor:
        """A share of rows [n, ...]."""
        return rows[self.index :: self.count]


WHOLE = Share()  # all of it, for one process


@dataclass(frozen=True)
class World:
    """All processes of a run, seen from one of them, whose number is its share's.

    Without connection there are no others: nothing is sent, and what is averaged stays as it is.
    Where a share is less than the whole all the same, as in timing one device's part of a step, the
    others are as if they had the same numbers.
    """

    share: Share = WHOLE
    is_connected: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.share.index == 0

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Puts the mean over all processes into each tensor, in place; the same bits in all."""
        if not self.is_connected:
            return
        listed = list(tensors)
        sent = [distributed.all_reduce(tensor, async_op=True) for tensor in listed]
        for tensor, work in zip(listed, sent, strict=True):
            assert work is not None
            work.wait()
            tensor /= self.share.count

    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Puts the first process' values into each tensor, in place."""
        if not self.is_connected:
            return
        for tensor in tensors:
            distributed.broadcast(tensor, src=0)

    def gathered(self, rows: Tensor) -> Tensor:
        """All rows of something that was dealt, in the order that it had before; on the CPU.

        Args:
            rows: this process' share, [n, ...]; n may differ by one between processes.
        """
        rows = rows.detach().cpu()
        if not self.is_connected:
            return rows
        total = int(self._reduced(len(rows), distributed.ReduceOp.SUM))
        most = -(-total // self.share.count)
        padded = rows.new_zeros((most, *rows.shape[1:]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.share.count)]
        distributed.all_gather(parts, padded)
        return torch.stack(parts, dim=1).flatten(0, 1)[:total]

    def largest(self, number: int) -> int:
        """The largest of a number that each process gives."""
        return self._reduced(number, distributed.ReduceOp.MAX) if self.is_connected else number

    def first_bytes(self, content: bytes) -> bytes:
        """What the first process gives; others give anything."""
        if not self.is_connected:
            return content
        size = torch.tensor([len(content)])
        distributed.broadcast(size, src=0)
        sent = torch.zeros(int(size), dtype=torch.uint8)
        if self.is_first and content:
            sent = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        distributed.broadcast(sent, src=0)
        return sent.numpy().tobytes()

    def differing(self, numbers: Sequence[int]) -> list[int]:
        """Those processes that give other numbers, [n], than the first does."""
        given = torch.tensor([numbers], dtype=torch.int64)
        table = self.gathered(given)
        differs = (table != table[0]).any(dim=1)
        return torch.nonzero(differs).flatten().tolist()

    def _reduced(self, number: int, operation: distributed.ReduceOp.RedOpType) -> int:
        """A number of all processes, by an operation."""
        tensor = torch.tensor([number])
        distributed.all_reduce(tensor, op=operation)
        return int(tensor)


ALONE = World()
