"""A small GPT (Radford et al. 2019, GPT-2): a decoder that gives each token's successor.

Departures: no biases, the squared ReLU, and an untied head.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

from optbench.models.transformer import Block, initialise

LAYERS = ("Embedding", "LayerNorm", "Linear")  # that hold parameters
HEAD_STD = 0.02  # as GPT-2: all tokens begin about as likely
HEADS = ("tokens", "positions", "head")  # the embeddings, and its last layer


class GPT(nn.Module):
    """Maps tokens [b, t], of at most `context` positions, to logits [b, t, vocabulary]."""

    def __init__(self, vocabulary: int, context: int, layers: int, width: int, heads: int) -> None:
        """`vocabulary`: how many tokens there are."""
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads, causal=True) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        initialise(self, layers)
        nn.init.normal_(self.head.weight, std=HEAD_STD)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [b, t, vocabulary] of the tokens after each position."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.tokens(tokens) + self.positions(places)  # [b, t, width]
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits


def build(
    *,
    vocabulary: int,
    context: int,
    layers: Annotated[int, Ge(1), Lt(65)] = 4,
    width: int = 128,
    heads: Annotated[int, Ge(1), Lt(65)] = 4,
) -> nn.Module:
    """A GPT for a vocabulary of that many tokens and windows of `context` of them.

    Raises:
        UsageError: the heads do not divide the width.
    """
    return GPT(vocabulary, context, layers, width, heads)
