"""The paper holds the tables' numbers, and is the same bytes twice."""

import shutil

from optbench.report import escape, tables
from optbench.report.advice import Allowance, advise, by_budget
from optbench.report.ledger import ledger_of
from optbench.report.paper import paper_source, publish_paper
from optbench.report.render import render_index


def test_the_paper_is_set_twice_with_the_same_bytes(contents, reported, tmp_path):
    judged = ledger_of(contents.claims, [contents])
    shutil.copytree(reported, tmp_path, dirs_exist_ok=True)
    render_index([contents], contents.claims, tmp_path)
    pdfs = []
    for _ in range(2):
        publish_paper([contents], judged, tmp_path)
        pdfs.append((tmp_path / "paper.pdf").read_bytes())
    assert pdfs[0] == pdfs[1]
    assert pdfs[0].startswith(b"%PDF")
    source = paper_source([contents], judged)
    places = [source.index(title) for title in (
        "= What to believe", "= What should I train with?", f'= #"{contents.name}"',
        "= All workloads", "= Ledger of claims",
    )]  # fmt: skip
    assert places == sorted(places)
    believed, trained = source[places[0] : places[1]], source[places[1] : places[2]]
    for row in judged.rows:
        assert f'"{row.belief.word}",' in believed[believed.index(escape.typst(row.claim.text)) :]
    for row in by_budget(contents).rows:
        assert ", ".join(f'"{cell}"' for cell in row.cells) in trained
    for table in (
        tables.results(contents), tables.targets(contents), tables.costs(contents),
        advise(contents, Allowance()).table,
    ):  # fmt: skip
        assert table.rows
        for row in table.rows:
            assert ", ".join(f'"{cell}"' for cell in row.cells) in source
