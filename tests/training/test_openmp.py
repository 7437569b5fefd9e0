"""Where threads cannot be had, nothing is trained: oneDNN would wait for them for ever."""

import os
import subprocess
import sys

import pytest
from tests.conftest import ROOT

from optbench.core.errors import UsageError
from optbench.training import openmp

TEAM = """
import torch
from optbench.training.openmp import largest_team, require_threads

torch.set_num_threads(2)
print(largest_team() >= 2, flush=True)  # before what stderr has
require_threads(2)
print("can train")
"""


def team(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TEAM], env={**os.environ, "PYTHONPATH": "src", **environment},
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [("OMP_THREAD_LIMIT", "1"), ("OMP_DYNAMIC", "true"), ("OMP_MAX_ACTIVE_LEVELS", "0")],
)
def test_what_makes_teams_smaller_is_named(name, value):
    output = team(**{name: value})
    assert output.startswith("False\n")
    assert f"settings.threads: got 2, and OpenMP may give 1 by {name}={value}: take that" in output


@pytest.mark.skipif(openmp.usable_cores() < 2, reason="of one core there is no team")
def test_control_other_variables_overrule_nothing():
    output = team(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_THREAD_LIMIT="2", OMP_NESTED="true")
    assert output == "True\ncan train\n"


def test_more_threads_than_cores_are_refused(monkeypatch):
    monkeypatch.setattr(openmp, "usable_cores", lambda: 1)
    openmp.require_threads(1)  # the control
    with pytest.raises(UsageError, match="got 2, and this process may use 1"):
        openmp.require_threads(2)
