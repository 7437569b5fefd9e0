"""What training needs of a workload. Batches are tensors that nobody but the task looks into."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from torch import Tensor

from optbench.core.world import WHOLE, Share

Batch = tuple[Tensor, ...]


class Batches(Protocol):
    """Batches in a fixed order; a data set that fits into no memory brings its class."""

    examples: int  # an epoch

    def __len__(self) -> int:
        """Batches an epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0, share: Share = WHOLE) -> Iterator[Batch]:
        """The batches of an epoch counted from 0, from batch `start` on.

        Of several devices each gets its share of the epoch's examples, in their order: of each
        batch that is trained on, as many as the others, in a batch for itself. Scored are batches
        of the usual size, of which a device may have one less than another.
        """
        ...


class Task(Protocol):
    """Data with a loss and a score. `score.py` beside it says what is measured, without torch.

    A task of texts may have `sample(outputs) -> str`, whose text is printed at a run's end.
    """

    train: Batches
    data_sha256: str  # of the data set
    network_args: Mapping[str, Any]  # what the data tell the network, such as its classes
    likelihood: str  # how outputs make up a distribution of targets, for example "categorical"

    def validation(self, limit: int | None = None) -> Batches | None:
        """The validation set, at most `limit` examples spread over it; None: none is held out."""
        ...

    def test(self, limit: int | None = None) -> Batches:
        """The test set, at most `limit` examples spread over it."""
        ...

    def inputs(self, batch: Batch) -> Tensor:
        """What the network takes, [b, ...]."""
        ...

    def targets(self, batch: Batch) -> Tensor:
        """What it should give, [b, ...]."""
        ...

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The loss that is optimised: a scalar, the mean over a batch."""
        ...

    def losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The loss of each example that is reported, [b]."""
        ...

    def columns(self, outputs: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        """What is stored of each example, by name, [b] each; `score.py` computes the score of it.

        Floats come back from their text exactly.
        """
        ...
