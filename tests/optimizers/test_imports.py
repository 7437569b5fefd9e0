"""What an optimizer's file imports is paid for by those who use it alone."""

import subprocess
import sys

from tests.conftest import ROOT

IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"optbench.optimizers.{name}")
    print(name, "pytorch_optimizer" in sys.modules)
"""


def test_pytorch_optimizer_is_imported_by_its_wrappers_alone_and_warns_of_nothing():
    others = ["sgd", "adamw", "kfac", "ngd", "nadam", "muon", "shampoo"]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *others, "lion"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [*(f"{name} False" for name in others), "lion True"]
