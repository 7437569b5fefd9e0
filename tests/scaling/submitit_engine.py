"""`optbench repro --engine slurm TARGETS` with submitit's `local` executor, or its `slurm`."""

import sys

from optbench.scaling.engines.slurm import Engine
from optbench.scaling.reproduction import reproduce

if __name__ == "__main__":
    Engine.cluster = sys.argv[1]
    sys.exit(reproduce(sys.argv[2:], jobs=2, engine="slurm").exit_code)
