"""Puts verdicts and results table into README. No stage of the pipeline: `make readme` calls it."""

from pathlib import Path

from optbench.claims.schema import load_claims
from optbench.core.files import publish
from optbench.core.process import as_stage
from optbench.params.load import load_params
from optbench.report.contents import read_all
from optbench.report.ledger import ledger
from optbench.report.readme import generated, with_generated

README = Path("README.md")
WORKLOAD = "cifar10-resnet9"


def main() -> None:
    """Replaces what stands between marks."""
    params = load_params(workload=WORKLOAD)
    contents = read_all(params)
    claims = load_claims(workloads=params.workloads)
    judged = ledger(claims, contents.values())
    parts = generated(contents[WORKLOAD], judged)
    publish(README, with_generated(README.read_text(encoding="utf-8"), parts))


if __name__ == "__main__":
    with as_stage():
        main()
