"""Prints what `dvc repro` will train and about how long it will take. No stage of the pipeline."""

from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.plan import outlook


def main() -> None:
    """One line."""
    print(outlook(load_params()))


if __name__ == "__main__":
    with as_stage():
        main()
