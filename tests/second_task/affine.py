"""An affine map."""

from torch import nn

HEADS = ("",)


def build(*, inputs: int) -> nn.Module:
    """Maps rows [n, inputs] to numbers [n, 1]."""
    return nn.Linear(inputs, 1)
