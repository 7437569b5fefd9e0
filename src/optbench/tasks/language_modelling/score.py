"""What language modelling measures: cross entropy in bits a character.

It is the code length of a text, so models of different vocabularies compare by it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optbench.core.score import Score

SCORE = Score(
    name="cross entropy",
    unit="bits a character",
    difference_unit="bits a character",
    higher_is_better=False,
    low=0.0,
    high=None,
    digits=3,
)
LIKELIHOOD = "categorical"

Columns = Mapping[str, Sequence[Any]]  # of each window, its cross entropy and characters: [n] each


def recount(columns: Columns) -> float:
    """Bits a character of at least one window: all their nats over all their characters."""
    return math.fsum(columns["nats"]) / math.log(2) / sum(columns["characters"])
