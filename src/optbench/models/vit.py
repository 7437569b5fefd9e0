"""A small vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929) for small images.

Departures: the mean over patches in place of a class token (Beyer et al. 2022, arXiv 2205.01580),
no biases inside, and the squared ReLU.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn
from torch.nn import functional as F

from optbench.core.errors import UsageError
from optbench.models.transformer import Block, initialise

MINIMUM_SIDES = (2, 2)  # a patch, by default
LAYERS = ("Embedding", "LayerNorm", "Linear")  # that hold parameters
HEADS = ("patches", "positions", "head")  # the embeddings, and its last layer


class ViT(nn.Module):
    """Maps images [n, channels, *sides] to logits [n, classes]."""

    def __init__(
        self,
        channels: int,
        classes: int,
        sides: tuple[int, int],
        patch: int,
        layers: int,
        width: int,
        heads: int,
    ) -> None:
        """Squares of `patch` pixels a side become the tokens.

        Raises:
            UsageError: they do not tile the image.
        """
        super().__init__()
        if sides[0] % patch or sides[1] % patch:
            raise UsageError(
                f"patch must divide the images' sides, {sides[0]} x {sides[1]}, got {patch}: "
                "choose a divisor in network_args"
            )
        self.patch = patch
        self.patches = nn.Linear(channels * patch**2, width)
        self.positions = nn.Embedding(sides[0] * sides[1] // patch**2, width)
        self.blocks = nn.Sequential(*(Block(width, heads, causal=False) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        initialise(self, layers)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, classes]."""
        squares = F.unfold(images, self.patch, stride=self.patch)  # [n, channels * patch^2, t]
        places = torch.arange(squares.shape[2], device=images.device)
        x = self.patches(squares.transpose(1, 2)) + self.positions(places)  # [n, t, width]
        logits: Tensor = self.head(self.norm(self.blocks(x)).mean(dim=1))
        return logits


def build(
    *,
    channels: int,
    classes: int,
    sides: tuple[int, int],
    patch: Annotated[int, Ge(1), Lt(65)] = 2,
    layers: Annotated[int, Ge(1), Lt(65)] = 3,
    width: int = 64,
    heads: Annotated[int, Ge(1), Lt(65)] = 4,
) -> nn.Module:
    """A vision transformer for images whose sides a patch divides.

    Raises:
        UsageError: the patch does not divide the sides, or the heads the width.
    """
    return ViT(channels, classes, sides, patch, layers, width, heads)
