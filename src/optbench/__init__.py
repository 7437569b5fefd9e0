"""Trains, scores and compares optimizers."""

import os

# Before torch loads OpenMP: threads that wait for others sleep. Beside other load, spinning ones
# keep those they wait for off the cores. It changes no bit.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
