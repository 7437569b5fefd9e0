"""What is measured of images that stay in their files: the same as of those in memory."""

from optbench.tasks.image_classification.score import (
    INTERVAL,
    LIKELIHOOD,
    SCORE,
    extras,
    interval,
    recount,
)

__all__ = ["INTERVAL", "LIKELIHOOD", "SCORE", "extras", "interval", "recount"]
