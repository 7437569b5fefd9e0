"""Stage `index`: a post's page of all workloads, its ledger on evidence run here and published."""

import argparse
from pathlib import Path

from optbench.claims.publications import load_publications
from optbench.params.load import load_params
from optbench.report.contents import REPORTS, read_all, read_claims
from optbench.report.render import render_index
from optbench.supervision.process import as_stage


def main() -> None:
    """Writes {index.html,claims.{md,json},claims.schema.json,inputs.sha256} and figures/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", type=Path, help="of the post")
    parser.add_argument("published", type=Path, help="what others measured of them")
    parser.add_argument("folder", type=Path, help="what is written to")
    args = parser.parse_args()
    params, claims = load_params(), read_claims(args.claims)
    publications = load_publications(claims, args.published)
    workloads = list(read_all(params, claims).values())
    render_index(workloads, claims, args.folder, publications, reports=REPORTS)
    print(f"see {args.folder / 'index.html'}")


if __name__ == "__main__":
    with as_stage():
        main()
