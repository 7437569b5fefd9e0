"""The lists that DVC has literally: what they lack is told, with the way out."""

from pathlib import Path

import pytest
from tests.conftest import ROOT, index_of

from optbench.core.errors import UsageError
from optbench.params import listed
from optbench.params.load import rooms


@pytest.fixture
def lists(tmp_path: Path, monkeypatch) -> Path:
    downloads = (ROOT / listed.DOWNLOADS).read_text()
    for path, text in {listed.INDEX: index_of("digits-cnn"), listed.DOWNLOADS: downloads}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_those_of_the_project_are_complete(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert listed.strangers(rooms()) == []
    assert listed.unlisted_workload("digits-cnn") == []
    assert listed.unlisted_dataset("digits") is None


def test_what_is_not_listed_is_told(lists):
    told = "{} does not show tiny: add `- reports/tiny` to its deps"
    assert listed.unlisted_workload("tiny") == [told.format("reports/dvc.yaml")]
    post = lists / "posts/mine/dvc.yaml"
    post.parent.mkdir(parents=True)
    post.write_text(index_of("digits-cnn", "tiny"))
    assert listed.unlisted_workload("tiny") == [told.format("reports/dvc.yaml")]
    post.write_text(index_of("digits-cnn"))  # the control
    files = ("reports/dvc.yaml", "posts/mine/dvc.yaml")
    assert listed.unlisted_workload("tiny") == [told.format(file) for file in files]
    assert "run `optbench new dataset mnist`" in listed.unlisted_dataset("mnist")


def test_what_is_listed_and_gone_is_told(lists):
    """What else the index needs below reports/ is no workload."""
    assert any(dep.startswith("reports/code/") for dep in listed.listed(
        listed.INDEX, listed.INDEX_DEPS))  # fmt: skip
    assert listed.strangers(["digits-cnn"]) == []
    assert listed.strangers(["other"]) == [
        "reports/dvc.yaml names reports/digits-cnn, and there is no workload digits-cnn: take it "
        "out"
    ]


@pytest.mark.parametrize("text", ["", "stages: {}\n", "stages: {index: {deps: 3}}\n", "a: [\n"])
def test_a_file_without_its_list_is_refused(lists, text):
    (lists / listed.INDEX).write_text(text)
    with pytest.raises(UsageError, match=r"reports/dvc\.yaml has no list at stages\.index\.deps"):
        listed.unlisted_workload("tiny")
