"""`optbench repro --engine slurm TARGETS` with submitit's local executor in place of Slurm."""

import sys

from optbench.scaling.engines.slurm import Engine
from optbench.scaling.run import reproduce

if __name__ == "__main__":
    Engine.cluster = "local"
    sys.exit(reproduce(sys.argv[1:], jobs=2, engine="slurm"))
