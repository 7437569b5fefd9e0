"""What a step is given: the loss of one batch, and what second order needs to look into it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """The closure of a step. A first-order optimizer calls it and looks no further.

    Calling it leaves the gradient in the parameters and returns the loss, a scalar.
    """

    inputs: Tensor  # [b, ...], what the network takes
    targets: Tensor  # [b, ...], what it should give
    likelihood: str  # how outputs make up a distribution of targets, as the task declares it
    forward: Callable[[Tensor], Tensor]  # inputs to outputs in float32, by the bare, eager model
    backward: Callable[[], Tensor]

    def __call__(self) -> Tensor:
        """The loss, with its gradient in the parameters."""
        return self.backward()
