"""What a step is given: the loss of one batch, and what second order needs to look into it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """The closure of a step. A first-order optimizer calls it and looks no further.

    Calling it leaves the gradient in the parameters and returns the loss, a scalar.
    """

    images: Tensor  # [b, channels, height, width]
    labels: Tensor  # [b]
    forward: Callable[[Tensor], Tensor]  # images to logits in float32, by the bare, eager model
    backward: Callable[[], Tensor]

    def __call__(self) -> Tensor:
        """The loss, with its gradient in the parameters."""
        return self.backward()
