"""Sets a short paper from all reports. No stage of the pipeline: `make paper` calls it."""

from pathlib import Path

from optbench.claims.schema import load_claims
from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.report.contents import read_all
from optbench.report.ledger import ledger
from optbench.report.paper import publish_paper


def main() -> None:
    """Writes reports/paper.{typ,pdf}."""
    params, folder = load_params(), Path("reports")
    contents = list(read_all(params).values())
    claims = load_claims(workloads=params.workloads)
    judged = ledger(claims, contents)
    publish_paper(contents, judged, folder)
    print(f"see {folder / 'paper.pdf'}")


if __name__ == "__main__":
    with as_stage():
        main()
