"""A sweep: arms trained with several values of one argument, each with a small search of the rate.

At every value each study tries the same factors of the learning rate and chooses among them by
validation, so that no value is judged at a rate that suits another. Studies of the same number
have the same seeds at all values: what differs between values is paired.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optbench.core.errors import UsageError
from optbench.core.run import Run, from_dict, plan_of, read_json

RATE = "lr"
# What a sweep may vary beside an optimizer's arguments: settings, and multiples of an arm's rate.
SETTINGS, RELATIVE = ("batch_size", "dataset"), "lr_factor"


@dataclass(frozen=True, kw_only=True)
class Case:
    """An arm at one value of the argument."""

    value: Any
    run: Run  # of its trials, but for their seed and the factor of their rate

    @property
    def key(self) -> tuple[str, str]:
        """The arm's key and the value's text."""
        return self.run.arm.key, text_of(self.value)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A planned sweep."""

    name: str
    argument: str  # of the optimizer, or of the settings
    lr_factors: Sequence[float]
    studies: int
    cases: Sequence[Case]  # arm by arm, value by value

    @property
    def arms(self) -> tuple[str, ...]:
        """Their keys, each once."""
        return tuple(dict.fromkeys(case.run.arm.key for case in self.cases))

    @property
    def values(self) -> tuple[Any, ...]:
        """Of the argument, each once."""
        return tuple(json.loads(text) for text in dict.fromkeys(c.key[1] for c in self.cases))

    @property
    def trials(self) -> int:
        """Of all its studies."""
        return len(self.cases) * self.studies * len(self.lr_factors)

    def runs(self, case: Case) -> list[Run]:
        """The trials of a case, study by study."""
        return [
            replace(case.run, seed=number, optimizer_args=args)
            for number, args in enumerate(
                [
                    with_rate(case.run.optimizer_args, factor)
                    for _ in range(self.studies)
                    for factor in self.lr_factors
                ]
            )
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        cases = [{"value": case.value, "run": case.run.as_dict()} for case in self.cases]
        return {**vars(self), "cases": cases}


def varied(run: Run, argument: str, value: Any) -> Run:
    """A run with another value of a sweep's argument."""
    if argument in SETTINGS:
        return replace(run, settings=replace(run.settings, **{argument: value}))
    if argument == RELATIVE:
        return replace(run, optimizer_args=with_rate(run.optimizer_args, value))
    return replace(run, optimizer_args={**run.optimizer_args, argument: value})


def with_rate(args: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """An optimizer's arguments with its rate times a factor, to three digits."""
    return {**args, RATE: float(f"{factor * args[RATE]:.3g}")}


def text_of(value: Any) -> str:
    """A value as a table has it: JSON."""
    return json.dumps(value)


def from_plan(values: Mapping[str, Any]) -> Sweep:
    """The inverse of `Sweep.as_dict`, from a JSON file.

    Raises:
        TypeError, KeyError: keys are missing, or there are others.
    """
    cases = [Case(value=case["value"], run=from_dict(case["run"])) for case in values["cases"]]
    return Sweep(**{**values, "cases": cases})


def plan_of_sweep(workload: str, name: str) -> Path:
    """The file in which `validate` keeps a sweep."""
    return plan_of(workload) / "sweeps" / f"{name}.json"


def planned_sweep(workload: str, name: str) -> Sweep:
    """A planned sweep.

    Raises:
        UsageError: the plan has none of that name, or it is damaged.
    """
    path = plan_of_sweep(workload, name)
    try:
        return from_plan(read_json(path))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{path} is no sweep ({error}): `dvc repro` makes it again") from error
