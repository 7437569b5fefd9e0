"""A study: so many trials of an arm, the best of which by validation is its result.

Tuning is part of what is measured (Choi et al. 2019, arXiv 1910.05446; Sivaprasad et al. 2020,
arXiv 1910.11758): each study has points of the space and seeds of its own, and nothing is trained
again once it has chosen. A study of one fixed point is one run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.run import Run, from_dict, plan_of, read_json
from optbench.core.space import Space

# Numbers of studies: below this, the suite's; this, of those that confirm what the suite predicts;
# from the next on, of those that are held against each other.
FRESH, CONTROL = 1000, 2000


@dataclass(frozen=True, kw_only=True)
class Study:
    """What the studies of an arm have in common."""

    arm: Arm
    run: Run  # of every trial, but for its seed and what is searched
    space: Space  # empty: a fixed point
    trials: int  # of each study

    @property
    def workload(self) -> str:
        """The trials'."""
        return self.run.workload

    def values(self, run: Run) -> dict[str, float]:
        """What of a trial's arguments was searched."""
        return {name: run.optimizer_args[name] for name in self.space}

    def name(self, number: int) -> str:
        """Of a study, as people and folders of unfinished work have it."""
        return f"{self.arm.key}-{number}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "arm": self.arm.key, "trials": self.trials, "space": dict(self.space),
            "run": self.run.as_dict(),
        }  # fmt: skip


def from_plan(values: Mapping[str, Any]) -> Study:
    """The inverse of `Study.as_dict`, from a JSON file.

    Raises:
        TypeError, KeyError, ValueError: keys are missing, or there are others.
    """
    return Study(
        arm=Arm.of(values["arm"]),
        run=from_dict(values["run"]),
        space={name: tuple(bounds) for name, bounds in values["space"].items()},
        trials=values["trials"],
    )


def read_study(path: Path) -> Study:
    """A study of a plan.

    Raises:
        UsageError: the file is missing, damaged, or no study.
    """
    try:
        return from_plan(read_json(path))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{path} is no study ({error}): `dvc repro` makes it again") from error


def planned(workload: str, arm: str) -> Study:
    """The planned study of an arm, by its key.

    Raises:
        UsageError: the plan has none.
    """
    return read_study(plan_of(workload) / "suite" / f"{arm}.json")
