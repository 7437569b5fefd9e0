"""Stage `download`: obtains one data set and verifies it."""

import argparse
from pathlib import Path

from optbench.download.obtain import obtain
from optbench.supervision.process import as_stage


def main() -> None:
    """Fills data/raw/<dataset>/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    args = parser.parse_args()
    obtain(args.dataset, Path("data/raw") / args.dataset)


if __name__ == "__main__":
    with as_stage():
        main()
