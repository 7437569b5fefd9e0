"""What a step is given: the loss of one batch, and what second order needs to look into it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from optbench.core.world import ALONE, World


@dataclass(frozen=True)
class Objective:
    """The closure of a step. A first-order optimizer calls it and looks no further.

    Calling it leaves the gradient in the parameters and returns the loss, a scalar. Of several
    devices each has the gradient and loss of the whole batch, but inputs and targets of its share:
    what is computed of these is not the same on all before `world.average` has made it so.
    """

    inputs: Tensor  # [b, ...], what the network takes
    targets: Tensor  # [b, ...], what it should give
    likelihood: str  # how outputs make up a distribution of targets, as the task declares it
    forward: Callable[[Tensor], Tensor]  # inputs to outputs in float32, by the bare, eager model
    backward: Callable[[], Tensor]
    world: World = ALONE

    def __call__(self) -> Tensor:
        """The loss, with its gradient in the parameters."""
        return self.backward()
