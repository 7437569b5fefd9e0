"""Reads and validates params.yaml; from it come the single run and the cells of each suite."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from optbench.core.errors import UsageError
from optbench.core.run import PARAMS, Override, Run, Workload, resolve
from optbench.params.check import Checker
from optbench.params.document import UniqueKeys, read_yaml
from optbench.params.messages import ParamsError, unknown
from optbench.params.schema import Document, Evaluation, Grid
from optbench.search.space import Search

VALUES_MAX = 100_000


@dataclass(frozen=True, kw_only=True)
class Params:
    """A validated params.yaml."""

    raw: Mapping[str, Any]
    suites: Mapping[str, Grid]
    workloads: Mapping[str, Workload]
    evaluations: Mapping[str, Evaluation]
    searches: Mapping[str, Search]
    override: Override

    @property
    def workload(self) -> str:
        """The chosen workload."""
        return str(self.raw["workload"])

    def single_run(self, workload: str) -> Run:
        """The run that the top-level keys name, with its overrides, on a workload."""
        names = {key: self.raw[key] for key in ("optimizer", "schedule", "seed")}
        return self.override.apply(resolve(self.raw, workload=workload, **names))

    def cells(self, workload: str) -> tuple[Run, ...]:
        """The runs of a workload's suite, in the order of params.yaml."""
        suite = self.suites[workload]
        return tuple(
            resolve(self.raw, workload=workload, optimizer=optimizer, schedule=schedule, seed=seed)
            for optimizer, schedule in suite.arms
            for seed in suite.seeds
        )


def load_params(path: Path = PARAMS, *, workload: str | None = None) -> Params:
    """Reads and validates params.yaml, in which `workload`, if given, must exist.

    Raises:
        ParamsError: the file is not usable; the message holds every problem that was found.
        UsageError: there is no such workload.
    """
    raw = _read(path)
    checker = Checker()
    params = _check(raw, checker)
    if params is None or checker.problems:
        raise ParamsError(checker.problems)
    if workload is not None and workload not in params.workloads:
        raise UsageError(unknown("argument", "workload", workload, params.workloads))
    return params


def _check(raw: Mapping[str, Any], checker: Checker) -> Params | None:
    """The params, or None where their shape is so wrong that no more can be said."""
    document = checker.parse(Document, (), raw)
    if document is None:
        return None
    override = checker.override(document.override)
    workloads = checker.parse_each(Workload, "workloads", document.workloads)
    suites = checker.parse_each(Grid, "suite", document.suite)
    evaluations = checker.parse_each(Evaluation, "evaluation", document.evaluation)
    searches = checker.parse_each(Search, "search", document.search)
    for name, workload in workloads.items():
        checker.workload(name, workload, document)
    for name, args in document.schedules.items():
        checker.schedule(name, args)
    for name, block in document.optimizers.items():
        checker.optimizer(name, block, document)
    checker.single_run(document, override, workloads)
    for name, suite in suites.items():
        checker.suite(name, suite, document)
    for name, search in searches.items():
        checker.search(name, search, suites.get(name), document)
    if override is None:
        return None
    return Params(
        raw=raw,
        suites=suites,
        workloads=workloads,
        evaluations=evaluations,
        searches=searches,
        override=override,
    )


def _read(path: Path) -> dict[str, Any]:
    """The file's values."""
    raw = read_yaml(path, loader=UniqueKeys, refusal=ParamsError)
    if not isinstance(raw, dict):
        raise ParamsError([f"must be a mapping of keys, got {type(raw).__name__}"])
    if sum(1 for _ in islice(_values(raw), VALUES_MAX + 1)) > VALUES_MAX:
        raise ParamsError([f"holds over {VALUES_MAX:,} values, aliases expanded: write fewer"])
    if problems := list(_odd_keys(raw, ())):
        raise ParamsError(problems)
    return raw


def _values(value: object) -> Iterator[object]:
    """Every value inside a value, level by level; endless where it holds itself."""
    level = [value]
    while level:
        yield from level
        level = [inner for outer in islice(level, VALUES_MAX) for inner in _inside(outer)]


def _inside(value: object) -> Iterable[object]:
    """What a mapping or list holds."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _odd_keys(value: object, path: tuple[str, ...]) -> Iterator[str]:
    """A sentence for each key that is no text, such as a number or a date."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                where = ".".join((*path, str(key)))
                yield f"{where}: got {key!r} as a key: a key must be text, so quote it"
            yield from _odd_keys(item, (*path, str(key)))
