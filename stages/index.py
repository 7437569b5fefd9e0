"""Stage `index`: the page of all workloads, and the ledger on all evidence."""

import argparse
from pathlib import Path

from optbench.claims.schema import load_claims
from optbench.core.errors import UsageError
from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.report.contents import read_all
from optbench.report.render import render_index


def main() -> None:
    """Writes reports/{index.html,claims.{md,json},inputs.sha256} and figures/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="+", help="all that have seeds or costs")
    names = parser.parse_args().workloads
    params, folder = load_params(), Path("reports")
    claims, contents = load_claims(workloads=params.workloads), read_all(params)
    if {*names} != {*contents}:
        raise UsageError(
            f"reports/dvc.yaml: its workloads are {', '.join(names)}, those with seeds or costs "
            f"are {', '.join(contents)}: list these in its cmd and deps"
        )
    render_index(list(contents.values()), claims, folder)
    print(f"see {folder / 'index.html'}")


if __name__ == "__main__":
    with as_stage():
        main()
