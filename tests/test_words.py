"""What is measured is the task's to name: all else asks the score."""

import re

from optbench.params.code import code_lines
from tests.conftest import ROOT

PACKAGE = ROOT / "src/optbench"
# Packages that know no task; data sets, networks and curvature know what they are made for.
GENERAL = ("core", "params", "training", "supervision", "search", "cost", "scaling", "evaluation",
           "claims", "report", "cli")  # fmt: skip
OF_A_TASK = re.compile(
    r"accurac|\bimages?\b|\bcrop|\bpixels?\b|label_smoothing|['\" ]pp\b|\d %['\"]"
)


def named(folder: str) -> list[str]:
    """The lines of code, comments and docstrings apart, that name something of a task."""
    return [
        f"{file.name}: {line.strip()}"
        for file in sorted((PACKAGE / folder).rglob("*.py"))
        for line in code_lines(file.read_text())
        if OF_A_TASK.search(line)
    ]


def test_nothing_but_tasks_names_what_they_measure():
    assert not [line for folder in GENERAL for line in named(folder)]


def test_control_a_task_does():
    assert len(named("tasks")) > 5
