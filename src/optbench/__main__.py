"""The command `optbench`: `optbench repro --jobs 4` brings the pipeline up to date in parallel."""

import argparse
import os
import sys

from optbench.core.process import as_stage
from optbench.scaling import engine
from optbench.scaling.run import reproduce


def main() -> int:
    """Parses the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="optbench")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    repro = commands.add_parser("repro", help="bring the pipeline up to date, in parallel")
    repro.add_argument("targets", nargs="*", help="as for `dvc repro`; default: dvc.yaml")
    repro.add_argument("--jobs", "-j", type=int, default=1, help="stages at once (default: 1)")
    repro.add_argument(
        "--engine",
        default=os.environ.get("OPTBENCH_ENGINE", "local"),
        help=f"where they run: {', '.join(engine.names())} (default: OPTBENCH_ENGINE, or local)",
    )
    repro.add_argument(
        "--oversubscribe", action="store_true", help="even if cores or GPUs do not suffice"
    )
    return reproduce(**vars(parser.parse_args()))


if __name__ == "__main__":
    with as_stage():
        sys.exit(main())
