"""README's generated parts: what to believe in a screen, and the best ten rows of the results."""

import dataclasses

import pytest
from tests.claims.examples import CLAIMS, POST, evidence

from optbench.claims.judge import judge
from optbench.report.contents import Contents
from optbench.report.ledger import Ledger, of_verdicts
from optbench.report.links import Links
from optbench.report.readme import FEW, PAGES, ROWS, results, verdicts


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """No study of the post's, so that costs alone and what is computed decide."""
    return of_verdicts(CLAIMS, judge(CLAIMS, {POST: evidence(studies=[])}), inputs={})


def table(text: str) -> list[list[str]]:
    """The cells of a table's rows, header and rule apart."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_decided_claims_have_rows_and_many_open_ones_share_one(ledger):
    rows = {row[0].partition("]")[0][1:]: row[1:] for row in table(verdicts(ledger, Links()))}
    assert len(rows) <= 20  # a screen
    assert rows["Comparison table: 14 claims"] == ["14 open", "14 not run", "-", "-"]
    assert (
        rows["10 GB of storage are needed, which we read as by data and results."][0]
        == "not reproduced (lower)"
    )
    finding = "AdamW consistently outperforms Adam, which we read as under every schedule."
    assert rows[finding] == ["open", "not run", "-", "-"]  # one of few
    shown = sum("claims" not in name and "others" not in name for name in rows)
    together = [14, 6, 7]  # the table, advice on hyper-parameters, known answers
    assert shown == len(ledger.rows) - sum(together)
    assert min(together) > FEW


def test_the_results_are_the_best_ten_with_the_way_to_all(contents: Contents):
    short, more = results(contents)
    best = [summary.optimizer for summary in contents.ranked_summaries()[:ROWS]]
    assert [row[0].partition("]")[0][1:] for row in table(short)] == best
    page = PAGES.format(contents.name)
    count = len(contents.summaries)
    assert more == f"These are the {ROWS} best: [all {count} arms]({page}#results)."
    few = dataclasses.replace(contents, summaries=contents.summaries[:ROWS])
    assert len(results(few)) == 1  # the control
