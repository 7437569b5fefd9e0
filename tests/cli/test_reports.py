"""`optbench advise`, `readme` and `paper`, on the committed results."""

from pathlib import Path

import pytest
from tests.conftest import ROOT, Project, copy_tracked_files

from optbench.cli import advise, readme
from optbench.report.advice import Allowance


@pytest.fixture
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_advice_is_printed_with_its_table(in_root, capsys, monkeypatch):
    asked = []

    def spy(contents, allowance):
        asked.append(allowance)
        return original(contents, allowance)

    original = advise.advise
    monkeypatch.setattr(advise, "advise", spy)
    advise.run(["digits-cnn", "--memory-mb", "1000", "--epochs", "5"], ROOT)
    assert asked == [Allowance(epochs=5.0, memory_bytes=10**9)]
    shown = capsys.readouterr().out
    assert "\nTake " in shown
    assert "P(best mean)" in shown
    assert "adamw / cosine " in shown


def test_more_than_was_run_is_refused():
    done = Project(ROOT).run("optbench", "advise", "digits-cnn", "--epochs", "11", check=False)
    assert done.returncode == 1
    assert "epochs: got 11: must be at most 10, which were run" in done.stdout


def test_a_reader_that_has_read_enough_sees_no_traceback():
    command = "optbench advise digits-cnn | true"
    done = Project(ROOT).run("bash", "-o", "pipefail", "-c", command, check=False)
    assert "Traceback" not in done.stdout
    assert "Broken pipe" not in done.stdout


def test_readme_gets_what_lies_between_its_marks_and_nothing_else(in_root, tmp_path, monkeypatch):
    text = "before\n<!-- verdicts -->\nold\n<!-- /verdicts -->\nbetween\n"
    text += "<!-- results -->\nold\n<!-- /results -->\nafter\n"
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    readme.README.write_text(text)
    readme.run(["digits-cnn"], ROOT)
    written = readme.README.read_text()
    assert "old" not in written
    assert "| [adamw](reports/digits-cnn/report.html" in written
    assert [line for line in text.splitlines() if line in written.splitlines()] == [
        line for line in text.splitlines() if line != "old"
    ]
    readme.run(["digits-cnn"], ROOT)
    assert readme.README.read_text() == written


def test_a_workload_without_results_is_refused():
    done = Project(ROOT).run("optbench", "readme", "digits-cn", check=False)
    assert done.returncode == 1
    assert "unknown workload 'digits-cn': did you mean 'digits-cnn'?" in done.stdout


def test_the_paper_is_set_below_reports(tmp_path: Path):
    copy_tracked_files(tmp_path)
    output = Project(tmp_path / "src").run("optbench", "paper").stdout
    assert output == "see reports/paper.pdf\n"
    assert (tmp_path / "reports/paper.pdf").read_bytes().startswith(b"%PDF")
