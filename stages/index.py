"""Stage `index`: the page of all workloads, and the ledger on all evidence."""

from pathlib import Path

from optbench.params.load import load_params
from optbench.report.contents import read_all, read_claims
from optbench.report.render import render_index
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes reports/{index.html,claims.{md,json},inputs.sha256} and figures/."""
    params, folder = load_params(), Path("reports")
    claims = read_claims()
    render_index(list(read_all(params, claims).values()), claims, folder)
    print(f"see {folder / 'index.html'}")


if __name__ == "__main__":
    with as_stage():
        main()
