"""The paper holds the tables' numbers, and is the same bytes twice."""

from optbench.claims.schema import load_claims
from optbench.params.load import load_params
from optbench.report import tables
from optbench.report.advice import Budget, advise
from optbench.report.contents import read_contents
from optbench.report.ledger import ledger
from optbench.report.page import cost_rows, target_rows
from optbench.report.paper import paper_source, publish_paper
from optbench.report.render import render_index, render_report


def test_the_paper_is_set_twice_with_the_same_bytes(tmp_path):
    params = load_params()
    claims = load_claims(workloads=params.workloads)
    contents = read_contents(params, "digits-cnn")
    judged = ledger(claims, [contents])
    render_report(contents, claims, tmp_path / "digits-cnn")
    render_index([contents], claims, tmp_path)
    pdfs = []
    for _ in range(2):
        publish_paper([contents], judged, tmp_path)
        pdfs.append((tmp_path / "paper.pdf").read_bytes())
    assert pdfs[0] == pdfs[1]
    assert pdfs[0].startswith(b"%PDF")
    source = paper_source([contents], judged)
    for row in (
        *tables.results_rows(contents), *target_rows(contents), *cost_rows(contents),
        *advise(contents, Budget()).rows,
    ):  # fmt: skip
        assert ", ".join(f'"{cell}"' for cell in row) in source
