"""What regression measures: the mean squared error."""

import numpy as np

from optbench.core.score import Score

SCORE = Score(
    name="squared error",
    unit="mm2",
    difference_unit="mm2",
    higher_is_better=False,
    low=0.0,
    high=None,
    digits=4,
)
LIKELIHOOD = "gaussian"


def recount(columns):
    """The mean of squared differences."""
    return float(np.mean(np.square(np.subtract(columns["predicted"], columns["actual"]))))
