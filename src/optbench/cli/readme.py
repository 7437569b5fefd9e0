"""Puts the current verdicts and a workload's results table into README.md, between their marks."""

from collections.abc import Sequence
from pathlib import Path

from optbench.claims.publications import load_publications
from optbench.cli.commands import Parser
from optbench.cli.recorded import require_reports
from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.params.load import load_params, rooms
from optbench.params.messages import unknown
from optbench.report.contents import read_all, read_claims
from optbench.report.ledger import ledger_of
from optbench.report.readme import generated, with_generated

README = Path("README.md")


def run(arguments: Sequence[str], standing: Path) -> int:
    """Writes README.md."""
    parser = Parser("readme", __doc__, example="digits-cnn")
    params = load_params()
    parser.add_argument("workload", nargs="?", default=params.workload, help="default: the chosen")
    name = parser.parse_args(arguments).workload
    if name not in (names := rooms()):
        raise UsageError(unknown("argument", "workload", name, names))
    require_reports(params)
    claims = read_claims()
    contents = read_all(params, claims)
    if name not in contents:
        raise UsageError(unknown("argument", "workload with results", name, contents))
    ledger = ledger_of(claims, contents.values(), load_publications(claims))
    parts = generated(contents[name], ledger)
    publish(README, with_generated(README.read_text(encoding="utf-8"), parts))
    return 0
