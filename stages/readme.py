"""Puts the results table into README. No stage of the pipeline: `make readme` calls it."""

from pathlib import Path

from optbench.core.files import publish
from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.report.contents import read_contents
from optbench.report.readme import with_results

README = Path("README.md")
WORKLOAD = "cifar10-resnet9"


def main() -> None:
    """Replaces what stands between the two marks."""
    contents = read_contents(load_params(), WORKLOAD)
    publish(README, with_results(README.read_text(encoding="utf-8"), contents))


if __name__ == "__main__":
    with as_stage():
        main()
