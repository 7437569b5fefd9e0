"""What a result depends on is what its process imports: no less, else results would be stale."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from optbench.core.registry import module_name, score_module_name
from optbench.params.code import STAGES, WITHOUT_EFFECT, closure
from tests.conftest import ROOT
from tests.warm import warm

DECLARED = {
    name: stage
    for folder in (".", "workloads/digits-cnn", "workloads/digits-cnn/control", "reports")
    for name, stage in yaml.safe_load((ROOT / folder / "dvc.yaml").read_text())["stages"].items()
}
PARTS = {
    "datasets": "digits",
    "models": "cnn",
    "schedules": "step",
    "tasks": "image_classification",
}


IMPORTS = """
import importlib, os, runpy, sys

stage, *modules = sys.argv[1:]
runpy.run_path(f"stages/{stage}.py", run_name="imported")
for name in modules:
    importlib.import_module(name)
for module in list(sys.modules.values()):
    if (file := getattr(module, "__file__", None)):
        print(os.path.abspath(file))
"""


def digested(stage: str, optimizer: str) -> set[str]:
    """The files whose code a run's plan has digests of."""
    files, _ = closure(*STAGES[stage], *parts(optimizer))
    return {str(file.relative_to(ROOT)) for file in files}


@pytest.fixture
def imported(tmp_path) -> Callable[..., set[str]]:
    """The files of the package that a stage's script has imported when it has done its work."""
    script = tmp_path / "imports.py"
    script.write_text(IMPORTS)

    def files(stage: str, modules: tuple[str, ...] = ()) -> set[str]:
        done = warm().run(str(script), stage, *modules, cwd=ROOT, env={"PYTHONPATH": "src"})
        assert done.returncode == 0, done.stdout
        paths = {Path(line) for line in done.stdout.splitlines() if line.endswith(".py")}
        inside = {str(f.relative_to(ROOT)) for f in paths if f.is_relative_to(ROOT / "src")}
        assert "src/optbench/__init__.py" in inside
        return {file for file in inside if not file.endswith("__init__.py")}

    return files


def parts(optimizer: str) -> tuple[str, ...]:
    """What a training loads by name at run time."""
    names = {**PARTS, "optimizers": optimizer}
    return (*(module_name(kind, name) for kind, name in names.items()),
            score_module_name(PARTS["tasks"]))  # fmt: skip


@pytest.mark.parametrize(
    ("script", "stage"), [("train", "training"), ("cost", "cost"), ("study", "study")]
)
@pytest.mark.parametrize("optimizer", ["radam", "kfac", "ngd"])
def test_the_plan_has_digests_of_all_that_is_imported(imported, script, stage, optimizer):
    """But for what changes no bit: supervision, and the words of a script."""
    found = imported(script, parts(optimizer))
    without_effect = WITHOUT_EFFECT.replace(".", "/")
    left_out = {file for file in found - digested(stage, optimizer) if without_effect not in file}
    assert left_out <= WORDS[stage]
    if optimizer == "radam":
        assert not [file for file in digested(stage, optimizer) if "/curvature/" in file]


WORDS = {
    "training": set(),
    "cost": set(),
    "study": {"src/optbench/studies/carry_out.py", "src/optbench/core/duration.py",
              "src/optbench/cost/estimate.py", "src/optbench/cost/cost.py",
              "src/optbench/cost/measured.py", "src/optbench/core/tables.py",
              "src/optbench/core/span.py"},
}  # fmt: skip


def test_second_order_has_digests_of_the_shared_folder():
    shared = {str(f.relative_to(ROOT)) for f in (ROOT / "src/optbench/curvature").glob("[a-z]*.py")}
    assert shared
    assert shared <= digested("training", "kfac") | digested("training", "ngd")


def test_control_a_module_that_is_not_digested_is_noticed(imported):
    assert "src/optbench/report/style.py" in imported("report") - digested("training", "radam")


@pytest.mark.parametrize("stage", ["evaluate", "report", "score", "index", "validate"])
def test_digests_of_quick_stages_hold_the_import_closure(imported, stage):
    """Each has the digest of its own code as a dep, and that of the task that is loaded by name."""
    files, _ = closure(*STAGES[stage])
    found = {file for file in imported(stage) if WITHOUT_EFFECT.replace(".", "/") not in file}
    assert found <= {str(file.relative_to(ROOT)) for file in files}
    if stage != "validate":  # it depends on all that there is
        assert f"reports/code/{stage}.sha256" in DECLARED[stage]["deps"]


@pytest.mark.parametrize("stage", ["train", "report"])
def test_training_starts_without_heavy_packages(stage):
    """They would delay the first step; the control is a stage that needs them."""
    heavy = "{'matplotlib', 'scipy', 'torchvision', 'dvc', 'dask', 'jinja2', 'pydantic'}"
    code = f"import runpy; runpy.run_path('stages/{stage}.py', run_name='imported')\n"
    code += f"import sys; print({heavy} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": "src"}, capture_output=True,
        text=True, check=True,
    ).stdout  # fmt: skip
    assert (found == "set()\n") == (stage == "train")


def test_no_import_is_hidden_in_a_function():
    """Else digests would not see it; the registry imports by name, and is allowed for."""
    for file in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        tree = ast.parse(file.read_text())
        hidden = [
            node
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert not hidden, f"{file} imports inside a function"


def test_package_files_are_empty():
    """They have no digests, so they must hold nothing."""
    for file in (ROOT / "src").rglob("__init__.py"):
        assert file.read_text() == ""


def test_training_never_sees_evaluation_or_report(imported):
    for stage, script in (("training", "train"), ("study", "study")):
        files = imported(script) | digested(stage, "radam")
        assert not [f for f in files if "/evaluation/" in f or "/report/" in f]
