"""What must be true of a room's sweeps, so that each value that they name can be trained."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optbench.core.arm import TUNED, Arm
from optbench.core.run import Settings
from optbench.core.sweep import RELATIVE, SETTINGS
from optbench.params import check_room as rules
from optbench.params.check import Checker
from optbench.params.schema import Sweep


def check_sweep(
    checker: Checker,
    name: str,
    sweep: Sweep,
    rows: rules.Rows,
    schedules: rules.Rows,
    settings: Settings,
) -> list[Arm]:
    """Arms exist and take each value, and rates are there to be tried; gives arms that can run."""
    path = f"sweeps.{name}"
    if not name.isidentifier():
        checker.add(f"{path}: got '{name}': must be of letters, digits and underscores")
    checker.unique(f"{path}.arms", sweep.arms)
    checker.unique(f"{path}.values", sweep.values)
    checker.unique(f"{path}.lr_factors", sweep.lr_factors)
    if settings.devices > 1 or settings.train_split != "holdout":
        checker.add(
            f"{path}: its runs train on one device and are chosen by validation: set "
            "settings.devices to 1 and settings.train_split to holdout, or take it out"
        )
    settings = settings_of(sweep, settings)
    rules.check_budget(checker, f"{path}.settings.budget", settings.budget)
    if sweep.settings.batch_size is not None:
        rules.check_batch_size(checker, f"{path}.settings.batch_size", settings)
    arms = []
    for arm in map(Arm.of, sweep.arms):
        if arm.tuning != TUNED:
            checker.add(
                f"{path}.arms: got '{arm.key}': its values are the room's: write "
                f"{replace(arm, tuning=TUNED).key}"
            )
        elif rules.check_arm(checker, f"{path}.arms", arm, rows, schedules):
            arms.append(arm)
            _check_values(checker, path, sweep, arm, rows[arm.optimizer], settings)
    return arms


def _check_values(
    checker: Checker, path: str, sweep: Sweep, arm: Arm, row: Mapping[str, Any], settings: Settings
) -> None:
    """An optimizer, or the settings, take each value."""
    known = (*row, *SETTINGS, RELATIVE)
    if not checker.choice("argument", sweep.argument, f"{path}.argument", known):
        return
    for value in sweep.values:
        where = (path, "values")
        if sweep.argument in row:
            args = {**row, sweep.argument: value}
            rules.check_optimizer(checker, arm.optimizer, where, args, settings)
        elif sweep.argument == RELATIVE:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value < math.inf:
                checker.add(f"{path}.values: got {value!r}: must be numbers above 0")
        elif sweep.argument == "dataset":
            if checker.name("datasets", value, ".".join(where)):
                rules.check_batch_size(checker, f"{path}.values", replace(settings, dataset=value))
        elif type(value) is not int or value < 2:
            checker.add(f"{path}.values: got {value!r}: must be whole numbers, at least 2")
        else:
            at = replace(settings, batch_size=value)
            rules.check_batch_size(checker, f"{path}.values", at)


def settings_of(sweep: Sweep, settings: Settings) -> Settings:
    """Those of a sweep's runs, but for the argument that it varies."""
    given = {name: value for name, value in vars(sweep.settings).items() if value is not None}
    return replace(settings, **given)
