"""Stage `report`: renders a workload's table and figures."""

import argparse
from pathlib import Path

from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.report.contents import read_contents
from optbench.report.render import render_report


def main() -> None:
    """Writes reports/<workload>/results.{md,csv,tex} and reports/<workload>/figures/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    folder = Path("reports") / name
    render_report(read_contents(load_params(workload=name), name), folder)
    print(f"{name}: see {folder / 'results.md'}")


if __name__ == "__main__":
    with as_stage():
        main()
