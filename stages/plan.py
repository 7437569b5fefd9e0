"""Prints what `dvc repro` will train and about how long it will take. No stage of the pipeline."""

import sys

from optbench.params.load import load_params
from optbench.params.messages import ParamsError
from optbench.plan import outlook


def main() -> None:
    """One line."""
    try:
        print(outlook(load_params()))
    except ParamsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
