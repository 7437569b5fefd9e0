"""A stage's code deps are what it imports: no more, so that no needless edit retrains; no less."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STAGES = {
    name: stage
    for file in ("dvc.yaml", "suites/digits-cnn/dvc.yaml", "searches/digits-cnn/dvc.yaml")
    for name, stage in yaml.safe_load((ROOT / file).read_text())["stages"].items()
}
SECOND_ORDER = ("kfac", "ngd")
QUICK = ("validate", "score", "evaluate", "report", "collect")
NAMES = {
    "${workloads.digits-cnn.dataset}": "digits",
    "${workloads.digits-cnn.network}": "cnn",
    "${item.schedule}": "step",
    "${schedule}": "step",
    "${search.digits-cnn.schedule}": "step",
}


def declared(stage: str, optimizer: str = "radam") -> set[str]:
    """The files of the project that a stage's deps name, folders unfolded."""
    files: set[str] = set()
    names = {**NAMES, "${item.optimizer}": optimizer, "${optimizer}": optimizer}
    for dep in STAGES[stage]["deps"]:
        for template, name in names.items():
            dep = dep.replace(template, name)
        path = ROOT / dep
        if path.suffix == ".py":
            files.add(dep)
        elif dep.startswith("src/"):
            files |= {str(file.relative_to(ROOT)) for file in path.rglob("*.py")}
    return {file for file in files if not file.endswith("__init__.py")}


def imported(stage: str, optimizer: str = "radam") -> set[str]:
    """The files of the project that a stage's script has imported when it has done its work."""
    script = "train" if stage in ("train", "run") else stage
    code = f"""
import importlib, sys
sys.path[:0] = ["src"]
import runpy
runpy.run_path("stages/{script}.py", run_name="imported")
for name in {parts(stage, optimizer)!r}:
    importlib.import_module(name)
for module in list(sys.modules.values()):
    if (file := getattr(module, "__file__", None)):
        print(file)
"""
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = {Path(line) for line in output.splitlines() if line.endswith(".py")}
    own = {str(f.relative_to(ROOT)) for f in files if f.is_relative_to(ROOT / "src")}
    return {f for f in own if not f.endswith("__init__.py")} | {f"stages/{script}.py"}


def parts(stage: str, optimizer: str) -> list[str]:
    """What the stage loads by name at run time."""
    if stage in QUICK:
        return []
    modules = ["datasets.digits", "models.cnn", f"optimizers.{optimizer}"]
    other = "optimizers.sgd" if stage == "cost" else "schedules.step"
    return [f"optbench.{module}" for module in [*modules, other]]


@pytest.mark.parametrize("stage", ["train", "run", "cost", "search"])
@pytest.mark.parametrize("optimizer", ["radam", *SECOND_ORDER])
def test_deps_are_the_import_closure(stage, optimizer):
    """But for one folder: deps cannot go by the optimizer, so all cells depend on `curvature`."""
    assert not imported(stage, optimizer) - declared(stage, optimizer)
    needless = declared(stage, optimizer) - imported(stage, optimizer)
    assert all(file.startswith("src/optbench/curvature/") for file in needless)


def test_second_order_needs_all_of_the_shared_folder():
    shared = {file for file in declared("train") if "/curvature/" in file}
    assert shared
    assert shared <= set.union(*(imported("train", name) for name in SECOND_ORDER))


@pytest.mark.parametrize("stage", QUICK)
def test_deps_of_quick_stages_hold_the_import_closure(stage):
    """They may hold more: a needless rerun takes seconds."""
    assert imported(stage) <= declared(stage)


def test_control_a_missing_dep_is_noticed(monkeypatch):
    deps = [dep for dep in STAGES["train"]["deps"] if dep != "src/optbench/core"]
    monkeypatch.setitem(STAGES["train"], "deps", deps)
    assert imported("train") - declared("train")


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
    """Else the closure above would not see it; the registry imports by name, and is allowed for."""
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
    """They are no deps, so they must hold nothing."""
    for file in (ROOT / "src").rglob("__init__.py"):
        assert file.read_text() == ""


def test_training_never_sees_evaluation_or_report():
    for stage in ("train", "search"):
        assert not [f for f in imported(stage) if "/evaluation/" in f or "/report/" in f]
