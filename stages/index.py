"""Stage `index`: the page of all workloads, and the ledger on evidence run here and published."""

from pathlib import Path

from optbench.claims.publications import load_publications
from optbench.params.load import load_params
from optbench.report.contents import read_all, read_claims
from optbench.report.render import render_index
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes reports/{index.html,claims.{md,json},inputs.sha256} and figures/."""
    params, folder = load_params(), Path("reports")
    claims = read_claims()
    publications = load_publications(claims)
    render_index(list(read_all(params, claims).values()), claims, folder, publications)
    print(f"see {folder / 'index.html'}")


if __name__ == "__main__":
    with as_stage():
        main()
