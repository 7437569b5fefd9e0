"""The file system is the registry: `optimizers/<name>.py` is the optimizer of that name.

A task is a folder: `tasks/<name>/score.py` says what is measured, and needs no torch;
`tasks/<name>/task.py` is what trains.
"""

import importlib
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parents[1]


def module_name(kind: str, name: str) -> str:
    """The module of that name, for example `optbench.optimizers.adam`."""
    return f"optbench.{kind}.{name}{'.task' if kind == 'tasks' else ''}"


def score_module_name(task: str) -> str:
    """The module that says what a task measures."""
    return f"optbench.tasks.{task}.score"


def source(kind: str, name: str) -> Path:
    """The file that defines a name, for example `optimizers/adam.py`."""
    return PACKAGE / kind / (f"{name}/task.py" if kind == "tasks" else f"{name}.py")


def load(kind: str, name: str) -> ModuleType:
    """The module of that name; imports nothing else of its kind."""
    return importlib.import_module(module_name(kind, name))


def load_score(task: str) -> ModuleType:
    """What a task measures: the module with its `SCORE`."""
    return importlib.import_module(score_module_name(task))
