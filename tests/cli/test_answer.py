"""What `optbench repro` shows, hides, and ends with."""

import json
from pathlib import Path

import pytest
from tests.conftest import Project

from optbench.cli import answer
from optbench.cli.answer import changed_verdicts, page_of, verdicts

PAGE = "see reports/digits-cnn/report.html"


def repro(project: Project, *arguments: str) -> list[str]:
    return project.run("optbench", "repro", *arguments).stdout.splitlines()


@pytest.mark.slow
def test_it_ends_with_the_score_its_place_and_the_page_whether_or_not_anything_changed(
    project: Project,
):
    nothing, score, place, page = repro(project)
    assert nothing.startswith("nothing had changed: looked at ")
    assert score.startswith("sgd / cosine / seed 0: test accuracy ")
    assert score in project.run("dvc", "repro", "-f", "-s", "score@digits-cnn").stdout
    assert place.startswith("better than ")
    assert page == PAGE
    project.set("optimizer", "adam")
    lines = repro(project)
    assert "digits-cnn: the single run will train: about " in "\n".join(lines)
    changed = [line.split(",")[0] for line in lines if line.startswith(("done", "restored"))]
    room = "done: workloads/digits-cnn/dvc.yaml"
    assert changed == [
        "done: validate",
        f"{room}:validate",
        f"{room}:run",
        "done: score@digits-cnn",
    ]
    assert lines[-3].startswith("adam / cosine / seed 0: test accuracy ")
    assert lines[-1] == PAGE
    assert len(lines) < 12
    assert not [line for line in lines if "skipping" in line or "dvc push" in line]
    # The control: a part of the pipeline has no single run's score.
    assert repro(project, "data/dvc.yaml:download@digits")[1:] == []


def test_a_refusal_is_told_whole_and_nothing_is_answered(project: Project):
    project.set("seed", -1)
    project.set("optimizer", "sdg")
    done = project.run("optbench", "repro", check=False)
    assert done.returncode == 1
    for part in ("seed: got -1", "did you mean 'sgd'?", "git restore params.yaml"):
        assert part in done.stdout
    assert PAGE not in done.stdout
    assert "Traceback" not in done.stdout


def ledger(verdict: str, *transfer: str) -> str:
    judgement = {"verdict": verdict, "transfer": [{"finding": finding} for finding in transfer]}
    return json.dumps({"claims": [{"id": "order", "judgement": judgement}]})


@pytest.fixture
def reports(tmp_path: Path, monkeypatch) -> Path:
    """Two reports with a claim, one of which has no verdict of its own on it."""
    monkeypatch.setattr(answer, "REPORTS", tmp_path)
    for workload, text in (("a", ledger("refuted")), ("b", ledger("not run", "agrees"))):
        (tmp_path / workload).mkdir()
        (tmp_path / workload / "claims.json").write_text(text)
    return tmp_path


def test_verdicts_that_changed_are_told_and_no_others(reports):
    before = verdicts()
    assert before == {("a", "order"): "refuted", ("b", "order"): "agrees (transfer)"}
    assert changed_verdicts(before, verdicts()) == []
    (reports / "b/claims.json").write_text(ledger("not run", "undecided"))
    told = "b: order is undecided (transfer), was agrees (transfer)"
    assert changed_verdicts(before, verdicts()) == [told]
    (reports / "a/claims.json").write_text(ledger("supported"))
    assert changed_verdicts(before, verdicts()) == ["a: order is supported, was refuted", told]


@pytest.mark.parametrize("damaged", ["", "{", "[]", "{}", '{"claims": [{}]}', '{"claims": 3}'])
def test_a_report_that_was_damaged_had_no_verdicts(reports, damaged):
    after = verdicts()
    (reports / "a/claims.json").write_text(damaged)
    assert changed_verdicts(verdicts(), after) == ["a: order is refuted, was not run"]


def test_those_of_a_post_are_told_by_its_folder(reports, monkeypatch):
    before = verdicts()
    monkeypatch.chdir(reports)
    page = Path("posts/mine/report/claims.json")
    page.parent.mkdir(parents=True)
    page.write_text(ledger("supported"))
    assert changed_verdicts(before, verdicts()) == ["posts/mine: order is supported, was not run"]


def test_pages_are_those_that_stages_render():
    pages = {
        "workloads/digits-cnn/dvc.yaml:report": Path("reports/digits-cnn/report.html"),
        "reports/dvc.yaml:index": Path("reports/index.html"),
        "posts/mine/dvc.yaml:index": Path("posts/mine/report/index.html"),
        "workloads/digits-cnn/dvc.yaml:run": None, "report": None, "score@digits-cnn": None,
    }  # fmt: skip
    assert {stage: page_of(stage) for stage in pages} == pages
