"""Sets a short paper, reports/paper.pdf, from all reports that are there."""

from collections.abc import Sequence
from pathlib import Path

from optbench.claims.publications import load_publications
from optbench.cli.commands import Parser
from optbench.cli.recorded import require_reports
from optbench.params.load import load_params
from optbench.report.contents import REPORTS, read_all, read_claims
from optbench.report.ledger import ledger_of
from optbench.report.paper import publish_paper


def run(arguments: Sequence[str], standing: Path) -> int:
    """Writes reports/paper.{typ,pdf}."""
    Parser("paper", __doc__, example="").parse_args(arguments)
    params = load_params()
    require_reports(params)
    claims = read_claims()
    contents = list(read_all(params, claims).values())
    ledger = ledger_of(claims, contents, load_publications(claims))
    publish_paper(contents, ledger, REPORTS)
    print(f"see {REPORTS / 'paper.pdf'}")
    return 0
