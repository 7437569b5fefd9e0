"""Reads and validates params.yaml; from it come the single run and the cells of each suite."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import yaml
from annotated_types import Gt, Le
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from optbench.core.run import PARAMS, Override, Run, Workload, resolve
from optbench.params import signatures
from optbench.params.messages import ParamsError, sentence, unknown

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The grid of a workload: optimizers x schedules x seeds."""

    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What only evaluation reads, so that a change retrains nothing."""

    target_accuracy: Annotated[float, Gt(0), Le(1)]
    tuning: Literal["untuned", "search"]


@dataclass(frozen=True, kw_only=True)
class Document:
    """The top level of params.yaml."""

    workload: str
    optimizer: str
    schedule: str
    seed: int
    override: Mapping[str, Any]
    suite: Mapping[str, Any]
    workloads: Mapping[str, Any]
    optimizers: Mapping[str, Mapping[str, Any]]
    schedules: Mapping[str, Any]
    evaluation: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Params:
    """A validated params.yaml."""

    raw: Mapping[str, Any]
    suites: Mapping[str, Suite]
    workloads: Mapping[str, Workload]
    evaluations: Mapping[str, Evaluation]
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
            for optimizer in suite.optimizers
            for schedule in suite.schedules
            for seed in suite.seeds
        )


def load_params(path: Path = PARAMS) -> Params:
    """Reads and validates params.yaml.

    Raises:
        ParamsError: the file is not usable; the message holds every problem that was found.
    """
    checker = Checker(_read(path))
    params = checker.check()
    if checker.problems or params is None:
        raise ParamsError(checker.problems)
    return params


class Checker:
    """Collects all problems of a document before anyone is told."""

    def __init__(self, raw: dict[str, Any]) -> None:
        """`raw`: the file's values."""
        self.raw = raw
        self.problems: list[str] = []

    def check(self) -> Params | None:
        """The params, or None where their shape is so wrong that no more can be said."""
        document = self.parse(Document, (), self.raw)
        if document is None:
            return None
        override = self.parse(Override, ("override",), document.override)
        if override is not None:
            self.check_override_keys(document.override)
        workloads = self.parse_each(Workload, "workloads", document.workloads)
        suites = self.parse_each(Suite, "suite", document.suite)
        evaluations = self.parse_each(Evaluation, "evaluation", document.evaluation)
        for name, workload in workloads.items():
            self.check_workload(name, workload, document)
        for name, args in document.schedules.items():
            self.check_part("schedules", name, ("schedules", name), args)
        for name, block in document.optimizers.items():
            self.check_optimizer(name, block, document)
        self.check_single_run(document)
        for name, suite in suites.items():
            self.check_suite(name, suite, document)
        if override is None or self.problems:
            return None
        return Params(
            raw=self.raw,
            suites=suites,
            workloads=workloads,
            evaluations=evaluations,
            override=override,
        )

    def parse(self, shape: type[T], path: tuple[str, ...], value: Any) -> T | None:
        """A value as a dataclass or model; problems are kept."""
        # JSON mode reads a YAML list as a tuple, and stays strict in all else.
        text = json.dumps(value, default=str)
        try:
            value_of_shape: T = _adapter(shape).validate_json(text)
            return value_of_shape
        except ValidationError as error:
            known = _field_names(shape)
            self.problems += [sentence(path, details, known) for details in error.errors()]
            return None

    def parse_each(self, shape: type[T], key: str, values: Mapping[str, Any]) -> dict[str, T]:
        """The values of a mapping, each parsed; those with problems are left out."""
        parsed = {name: self.parse(shape, (key, name), value) for name, value in values.items()}
        return {name: value for name, value in parsed.items() if value is not None}

    def check_override_keys(self, override: Mapping[str, Any]) -> None:
        """Every key must exist, else `dvc exp run -S override.lr=...` cannot set it."""
        self.problems += [
            f"override.{name} is missing: add it without a value"
            for name in _field_names(Override)
            if name not in override
        ]

    def check_name(self, kind: str, name: object, path: str) -> bool:
        """Whether a part exists; else a problem is kept."""
        known = signatures.names(kind)
        if name not in known:
            self.problems.append(unknown(path, signatures.SINGULAR[kind], name, known))
        return name in known

    def check_part(self, kind: str, name: str, path: tuple[str, ...], args: Any) -> None:
        """Whether a part exists and takes these arguments."""
        if self.check_name(kind, name, ".".join(path)):
            self.parse(signatures.arguments(kind, name), path, args)

    def check_workload(self, name: str, workload: Workload, document: Document) -> None:
        """Data set, network and device exist; suite, evaluation and stages are declared."""
        path = ("workloads", name)
        self.check_name("datasets", workload.dataset, f"workloads.{name}.dataset")
        if self.check_name("models", workload.network, f"workloads.{name}.network"):
            self.parse(
                signatures.arguments("models", workload.network),
                (*path, "network_args"),
                workload.network_args,
            )
        for key, section in (("suite", document.suite), ("evaluation", document.evaluation)):
            if name not in section:
                self.problems.append(f"{key}.{name} is missing: add it")
        if not Path("suites", name, "dvc.yaml").is_file():
            self.problems.append(
                f"workloads.{name}: suites/{name}/dvc.yaml is missing: copy another workload's "
                "file and put this name in place of the other"
            )

    def check_optimizer(self, name: str, block: Mapping[str, Any], document: Document) -> None:
        """The optimizer exists, and takes its settings with each of its hyper-parameters."""
        path = f"optimizers.{name}"
        if not self.check_name("optimizers", name, path):
            return
        shape = signatures.arguments("optimizers", name)
        settings = block.get("settings")
        if not isinstance(settings, Mapping):
            self.problems.append(f"{path}.settings is missing: add it, or `settings: {{}}`")
            return
        problems_before = len(self.problems)
        self._check_keys(shape, (*path.split("."), "settings"), settings)
        if len(self.problems) > problems_before:
            return
        for workload, per_schedule in block.items():
            if workload == "settings":
                continue
            if workload not in document.workloads:
                where = f"{path}.{workload}"
                self.problems.append(unknown(where, "workload", workload, document.workloads))
                continue
            if not isinstance(per_schedule, Mapping):
                self.problems.append(f"{path}.{workload} must map schedules to hyper-parameters")
                continue
            for schedule, hyper in per_schedule.items():
                where = (*path.split("."), workload, str(schedule))
                if schedule not in document.schedules:
                    self.problems.append(
                        unknown(".".join(where), "schedule", schedule, document.schedules)
                    )
                elif not isinstance(hyper, Mapping):
                    self.problems.append(f"{'.'.join(where)}: got {hyper!r}: must be a mapping")
                else:
                    self._check_arguments(shape, where, settings, hyper)

    def _check_keys(
        self, shape: type[Any], path: tuple[str, ...], given: Mapping[str, Any]
    ) -> None:
        """Values of some arguments; that others are missing is no problem here."""
        try:
            _adapter(shape).validate_json(json.dumps(given, default=str))
        except ValidationError as error:
            self.problems += [
                sentence(path, details, _field_names(shape))
                for details in error.errors()
                if details["type"] != "missing"
            ]

    def _check_arguments(
        self,
        shape: type[Any],
        path: tuple[str, ...],
        settings: Mapping[str, Any],
        hyper: Mapping[str, Any],
    ) -> None:
        """Hyper-parameters together with the settings that hold everywhere."""
        twice = sorted(set(settings) & set(hyper))
        if twice:
            self.problems.append(
                f"{'.'.join(path)}.{twice[0]} stands in optimizers.{path[1]}.settings too: keep one"
            )
            return
        self.parse(shape, path, {**settings, **hyper})

    def check_single_run(self, document: Document) -> None:
        """The four names of the single run select something."""
        for key, kind in (("optimizer", "optimizers"), ("schedule", "schedules")):
            self.check_name(kind, getattr(document, key), key)
        if document.workload not in document.workloads:
            self.problems.append(
                unknown("workload", "workload", document.workload, document.workloads)
            )
        self._check_seed("seed", document.seed)
        self._check_cell(document, document.workload, document.optimizer, document.schedule)

    def check_suite(self, name: str, suite: Suite, document: Document) -> None:
        """Names exist, nothing stands twice, and each cell has hyper-parameters."""
        if name not in document.workloads:
            self.problems.append(unknown(f"suite.{name}", "workload", name, document.workloads))
            return
        for key in ("optimizers", "schedules", "seeds"):
            values = getattr(suite, key)
            twice = [value for i, value in enumerate(values) if value in values[:i]]
            if twice:
                self.problems.append(f"suite.{name}.{key}: {twice[0]!r} stands twice: remove one")
            if key != "seeds":
                for value in values:
                    self.check_name(key, value, f"suite.{name}.{key}")
        for seed in suite.seeds:
            self._check_seed(f"suite.{name}.seeds", seed)
        for optimizer in suite.optimizers:
            for schedule in suite.schedules:
                self._check_cell(document, name, optimizer, schedule)

    def _check_seed(self, path: str, seed: int) -> None:
        """A seed's range."""
        if not 0 <= seed < 2**31:
            self.problems.append(f"{path}: got {seed}: a seed must be from 0 to {2**31 - 1}")

    def _check_cell(self, document: Document, workload: str, optimizer: str, schedule: str) -> None:
        """Known names have a block of hyper-parameters and a schedule's arguments."""
        if optimizer not in signatures.names("optimizers"):
            return
        if schedule not in signatures.names("schedules") or workload not in document.workloads:
            return
        if schedule not in document.schedules:
            self.problems.append(f"schedules.{schedule} is missing: add its arguments")
        per_workload = document.optimizers.get(optimizer, {}).get(workload, {})
        if isinstance(per_workload, Mapping) and schedule not in per_workload:
            self.problems.append(
                f"optimizers.{optimizer}.{workload}.{schedule} is missing: add its "
                "hyper-parameters, for example {lr: 0.001, weight_decay: 0.0}"
            )


def _read(path: Path) -> dict[str, Any]:
    """The file's values."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError([f"cannot be read: {error}"]) from error
    except yaml.YAMLError as error:
        raise ParamsError([f"is not YAML: {' '.join(str(error).split())}"]) from error
    if not isinstance(raw, dict):
        raise ParamsError([f"must be a mapping of keys, got {type(raw).__name__}"])
    return raw


@cache
def _adapter(shape: Hashable) -> TypeAdapter[Any]:
    """A strict, closed validator of a dataclass, or of a model that has its own configuration."""
    if is_dataclass(shape):
        return TypeAdapter(pydantic_dataclass(cast("type", shape), config=STRICT, frozen=True))
    return TypeAdapter(shape)


def _field_names(shape: type[Any]) -> tuple[str, ...]:
    """The keys that a dataclass or model takes."""
    if hasattr(shape, "model_fields"):
        return tuple(shape.model_fields)
    return tuple(field.name for field in fields(shape))
