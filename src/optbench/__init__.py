"""Trains, scores and compares optimizers."""

import os

# Before torch loads OpenMP: threads that wait for others sleep soon. By default they spin for
# milliseconds, and beside other load keep off the cores those that they wait for. It changes no
# bit, and a run alone is as fast.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
