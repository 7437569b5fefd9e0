"""Names of optimizer and schedule lead to their cells, and nothing else does."""

import subprocess
import sys

import pytest

from optbench.params.load import load_params
from optbench.report.contents import Contents, read_contents
from optbench.report.links import Links, in_html, in_markdown


@pytest.fixture(scope="module")
def contents() -> Contents:
    return read_contents(load_params(), "digits-cnn")


def test_every_name_of_an_arm_is_a_link(contents):
    links = Links([contents], in_markdown)
    text = "adam / one_cycle over sgd / step: +1 pp"
    page = "digits-cnn/report.html#cells"
    assert links(text, "digits-cnn") == (
        f"[adam / one_cycle]({page}-adam-one_cycle) over [sgd / step]({page}-sgd-step): +1 pp"
    )


def test_on_its_own_page_it_is_an_anchor(contents):
    links = Links([contents], in_html, page="")
    assert links("sgd / step", "digits-cnn") == '<a href="#cells-sgd-step">sgd / step</a>'


@pytest.mark.parametrize("text", ["sgd alone", "sgd / steps", "nsgd / step", "lion / step"])
def test_other_words_stay(contents, text):
    assert Links([contents], in_html)(text, "digits-cnn") == text


@pytest.mark.parametrize("workload", ["cifar10-resnet18", None])
def test_a_workload_without_cells_has_no_links(contents, workload):
    assert Links([contents], in_html)("sgd / step", workload) == "sgd / step"


def test_the_index_refuses_to_leave_a_workload_out():
    command = [sys.executable, "stages/index.py", "digits-cnn"]
    done = subprocess.run(command, env={"PYTHONPATH": "src"}, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "reports/dvc.yaml: its workloads are digits-cnn, those with seeds or costs" in done.stderr
    )
    assert "cifar10-resnet9" in done.stderr
