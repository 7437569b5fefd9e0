"""The lint rules that keep pickle out do so; the control is code that they must let pass."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

UNPICKLES = [
    "import pickle\n",
    "from pickle import loads\n",
    "import shelve\n",
    "import joblib\n",
    'import torch\n\ntorch.load("weights.pt")\n',
    'from torch import load\n\nload("weights.pt")\n',
    'import torch\n\ntorch.save({}, "weights.pt")\n',
    'import yaml\n\nyaml.load("a: 1", yaml.Loader)\n',
]


def complaints(code: str) -> str:
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "TID251,S301,S506", "-",
         "--output-format", "concise", "--stdin-filename", "src/optbench/example.py"],
        cwd=ROOT, input=code, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ruff.returncode in (0, 1), ruff.stderr
    return ruff.stdout if ruff.returncode else ""


@pytest.mark.parametrize("code", UNPICKLES)
def test_what_unpickles_is_refused(code):
    assert complaints(code)


def test_control_safetensors_and_json_pass():
    assert not complaints('import json\n\nfrom safetensors.torch import load\n\nload(b"")\n')


def test_numpy_never_unpickles():
    """It does so only where it is asked to; no lint rule knows that."""
    asking = "allow_pickle" + "=True"
    sources = [
        path for folder in ("src", "stages", "tests") for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(sources) > 100
    assert not [path for path in sources if asking in path.read_text(encoding="utf-8")]
