"""Stage `download`: obtains one data set and verifies it."""

import argparse
import sys
from pathlib import Path

from optbench.download.errors import SourceError
from optbench.download.obtain import obtain


def main() -> None:
    """Fills data/raw/<dataset>/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    args = parser.parse_args()
    try:
        obtain(args.dataset, Path("data/raw") / args.dataset)
    except SourceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
