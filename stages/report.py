"""Stage `report`: renders a workload's page, table and figures."""

import argparse
from pathlib import Path

from optbench.claims.schema import load_claims
from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.report.contents import read_contents
from optbench.report.render import render_report


def main() -> None:
    """Writes reports/<workload>/{report.html,results.{md,csv,tex}} and figures/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    params, folder = load_params(workload=name), Path("reports") / name
    claims = load_claims(workloads=params.workloads)
    render_report(read_contents(params, name), claims, folder)
    print(f"{name}: see {folder / 'report.html'}")


if __name__ == "__main__":
    with as_stage():
        main()
