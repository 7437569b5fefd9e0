"""Stage `index`: the page of all workloads, and the ledger on all evidence."""

from pathlib import Path

from optbench.claims.schema import load_claims
from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.report.contents import read_all
from optbench.report.render import render_index


def main() -> None:
    """Writes reports/index.html."""
    params, folder = load_params(), Path("reports")
    claims = load_claims(workloads=params.workloads)
    contents = list(read_all(params).values())
    render_index(contents, claims, folder)
    print(f"see {folder / 'index.html'}")


if __name__ == "__main__":
    with as_stage():
        main()
