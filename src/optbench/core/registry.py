"""The file system is the registry: `optimizers/<name>.py` is the optimizer of that name."""

import importlib
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parents[1]


def source(kind: str, name: str) -> Path:
    """The file that defines a name, for example `optimizers/adam.py`."""
    return PACKAGE / kind / f"{name}.py"


def load(kind: str, name: str) -> ModuleType:
    """The module of that name; imports nothing else of its kind."""
    return importlib.import_module(f"optbench.{kind}.{name}")
