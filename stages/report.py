"""Stage `report`: renders a workload's page, table and figures."""

import argparse
from pathlib import Path

from optbench.params.load import load_params, load_room
from optbench.report.contents import read_claims, read_contents
from optbench.report.render import render_report
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes reports/<workload>/{report.html,results.{md,csv,tex}} and figures/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    name = parser.parse_args().workload
    params, folder = load_params(), Path("reports") / name
    room = load_room(name, params)
    render_report(read_contents(room, read_claims()), folder)
    print(f"{name}: see {folder / 'report.html'}")


if __name__ == "__main__":
    with as_stage():
        main()
