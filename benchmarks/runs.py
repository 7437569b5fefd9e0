"""What benchmarks train: an arm of a room, or the probe of an optimizer, some settings changed."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from optbench.core.arm import Arm
from optbench.core.run import Run, from_dict
from optbench.params import plan
from optbench.params.code import digests
from optbench.params.load import Params, Room, load_params, load_room


@cache
def room_of(workload: str) -> tuple[Room, Params]:
    """A room, and the project's params."""
    params = load_params()
    return load_room(workload, params), params


def arm_run(workload: str, arm: Arm, **settings: object) -> Run:
    """An arm's run of seed 0."""
    room, params = room_of(workload)
    return with_settings(plan.resolve(room, params, arm, code=digests()), settings)


def probe_run(workload: str, optimizer: str, **settings: object) -> Run:
    """A run with rates so small that its steps change nothing."""
    room, _ = room_of(workload)
    return with_settings(plan.probe(room, optimizer, digests()), settings)


def with_settings(run: Run, settings: dict[str, object]) -> Run:
    """The run, as the trainer would read it from a plan."""
    changed = replace(run.settings, **settings)  # type: ignore[arg-type]
    return from_dict(replace(run, settings=changed).as_dict())


def spread(values: Sequence[float], *, digits: int = 0) -> str:
    """The median and the range."""
    low, middle, high = (
        f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} ({low} to {high})"
