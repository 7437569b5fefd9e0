"""The most bytes of tensors that are alive at once, on devices whose allocator does not count."""

import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveBytes(TorchDispatchMode):
    """Inside a `with` block, counts each storage from the operation that makes it to its end.

    What is there before does not count. What an operation allocates for itself and frees is not
    seen.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.now: int = 0
        self.peak: int = 0
        self.known: set[int] = set()

    def reset_peak(self) -> None:
        """Forgets what was alive and is not any more."""
        self.peak = self.now

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Runs the operation and counts the storages that it has made."""
        before = {storage._cdata for storage in storages((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for storage in storages(result):
            if storage._cdata not in before | self.known:
                self._count(storage)
        return result

    def _count(self, storage: UntypedStorage) -> None:
        """Adds a storage until it is freed."""
        key, size = storage._cdata, storage.nbytes()
        self.known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        """Takes a freed storage away."""
        self.known.discard(key)
        self.now -= size


def storages(values: Any) -> Iterator[UntypedStorage]:
    """The storages of the tensors in nested values."""
    for value in tree_iter(values):
        if isinstance(value, Tensor):
            yield value.untyped_storage()
