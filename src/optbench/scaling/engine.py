"""Where jobs are carried out: one engine a file of `engines/`, found by its name."""

import importlib
import pkgutil
from types import ModuleType
from typing import Protocol

from optbench.core.errors import UsageError
from optbench.params.messages import unknown
from optbench.scaling import engines
from optbench.scaling.job import Job


class Engine(Protocol):
    """Carries out jobs; `run` is called from as many threads as there are jobs at once."""

    def run(self, job: Job) -> int:
        """Carries out a job; gives its exit code, 128 + n where signal n ended it or its worker.

        Raises:
            UsageError: the engine itself does not work.
        """

    def end(self) -> None:
        """Asks all jobs to end; `run` returns once they have."""

    def close(self) -> None:
        """Gives back what was started or taken."""


def names() -> list[str]:
    """The engines that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(engines.__path__))


def load(name: str) -> ModuleType:
    """An engine's module, with its class `Engine` and `is_here`.

    Raises:
        UsageError: there is none of this name, or what it needs is not installed.
    """
    if name not in names():
        raise UsageError(unknown("--engine", "engine", name, names()))
    try:
        return importlib.import_module(f"{engines.__name__}.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"engine {name} needs the package {error.name}: pip install '.[scaling]'"
        ) from error
