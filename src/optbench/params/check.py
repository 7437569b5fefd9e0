"""Finds everything that is wrong with params.yaml, before anyone is told."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from optbench.core.run import Override, Workload
from optbench.params import schema, signatures
from optbench.params.messages import sentence, unknown
from optbench.params.schema import Document, Grid
from optbench.search.space import DIMENSIONS, Search, Space, decades, ranges
from optbench.search.winners import WINNERS, read_winners

T = TypeVar("T")
Keys = tuple[str, ...]
DEVICE = r"auto|cpu|mps|cuda(:\d+)?"
# Decades by which spaces of one size may differ, so that ranges can have round ends.
SIZE_TOLERANCE = 0.01


class Checker:
    """Parses the parts of a document and collects their problems, a sentence each."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def parse(self, shape: type[T], path: Keys, value: Any, *, partial: bool = False) -> T | None:
        """A value as a dataclass or model; `partial`: that keys are missing is no problem."""
        parsed, errors = schema.parse(shape, value)
        self.problems += [
            sentence(path, error, schema.keys_at(shape, error["loc"]))
            for error in errors
            if not (partial and error["type"] == "missing" and len(error["loc"]) == 1)
        ]
        return parsed

    def parse_each(self, shape: type[T], key: str, values: Mapping[str, Any]) -> dict[str, T]:
        """The values of a mapping, each parsed; those with problems are left out."""
        parsed = {name: self.parse(shape, (key, name), value) for name, value in values.items()}
        return {name: value for name, value in parsed.items() if value is not None}

    def name(self, kind: str, name: object, path: str) -> bool:
        """Whether a part exists."""
        known = signatures.names(kind)
        if name not in known:
            self.problems.append(unknown(path, signatures.SINGULAR[kind], name, known))
        return name in known

    def choice(self, what: str, name: object, path: str, known: Collection[object]) -> bool:
        """Whether a name is one of the document's own."""
        if name not in known:
            self.problems.append(unknown(path, what, name, known))
        return name in known

    def override(self, values: Mapping[str, Any]) -> Override | None:
        """Every key must exist, else `dvc exp run -S override.lr=...` cannot set it."""
        self.problems += [
            f"override.{name} is missing: add it without a value"
            for name in schema.keys(Override)
            if name not in values
        ]
        override = self.parse(Override, ("override",), values)
        if override and override.device is not None:
            self.device(override.device, "override.device")
        return override

    def workload(self, name: str, workload: Workload, document: Document) -> None:
        """Data set and network exist; suite, evaluation and stages are declared."""
        path = ("workloads", name)
        self.device(workload.device, f"workloads.{name}.device")
        if self.name("datasets", workload.dataset, f"workloads.{name}.dataset"):
            self.batch_size(f"workloads.{name}.batch_size", workload, workload.batch_size)
        if self.name("models", workload.network, f"workloads.{name}.network"):
            shape = signatures.arguments("models", workload.network)
            self.parse(shape, (*path, "network_args"), workload.network_args)
        for key, section in (("suite", document.suite), ("evaluation", document.evaluation)):
            if name not in section:
                self.problems.append(f"{key}.{name} is missing: add it")
        if not Path("suites", name, "dvc.yaml").is_file():
            self.problems.append(
                f"workloads.{name}: suites/{name}/dvc.yaml is missing: copy another workload's "
                "file and put this name in place of the other"
            )
        if name not in read_winners():
            self.problems.append(
                f"{WINNERS} has no entry for workload '{name}': add '{name}: {{}}'"
            )

    def device(self, name: str, path: str) -> None:
        """A device's name; whether it is present shows when training starts."""
        if not re.fullmatch(DEVICE, name):
            self.problems.append(f"{path}: got '{name}': must be auto, cpu, mps, cuda or cuda:N")

    def batch_size(self, path: str, workload: Workload, batch_size: int) -> None:
        """A batch is not larger than its data."""
        images = signatures.train_images(workload.dataset)
        if images is not None and batch_size > images:
            self.problems.append(
                f"{path}: got {batch_size}: must be at most {images}, the size of "
                f"{workload.dataset}'s training set"
            )

    def schedule(self, name: str, args: Any) -> None:
        """The schedule exists and takes these arguments."""
        if self.name("schedules", name, f"schedules.{name}"):
            self.parse(signatures.arguments("schedules", name), ("schedules", name), args)

    def optimizer(self, name: str, block: Mapping[str, Any], document: Document) -> None:
        """The optimizer exists, and takes its settings with each of its hyper-parameters."""
        path = ("optimizers", name)
        if not self.name("optimizers", name, ".".join(path)):
            return
        shape = signatures.arguments("optimizers", name)
        settings = block.get("settings")
        if not isinstance(settings, Mapping):
            self.problems.append(f"{'.'.join(path)}.settings is missing: write {{}} where empty")
            return
        before = len(self.problems)
        self.parse(shape, (*path, "settings"), settings, partial=True)
        if len(self.problems) > before:
            return
        for workload, hyper in block.items():
            if workload == "settings":
                continue
            if self.choice("workload", workload, ".".join((*path, workload)), document.workloads):
                self.hyper(shape, (*path, workload), settings, hyper, document)

    def hyper(
        self,
        shape: type[Any],
        path: Keys,
        settings: Mapping[str, Any],
        per_schedule: Any,
        document: Document,
    ) -> None:
        """Hyper-parameters of each schedule, together with the settings that hold everywhere."""
        if not isinstance(per_schedule, Mapping):
            self.problems.append(f"{'.'.join(path)} must map schedules to hyper-parameters")
            return
        for schedule, hyper in per_schedule.items():
            own = (*path, str(schedule))
            where = ".".join(own)
            if not self.choice("schedule", schedule, where, document.schedules):
                continue
            if not isinstance(hyper, Mapping):
                self.problems.append(f"{where}: got {hyper!r}: must map names to values")
            elif twice := sorted(set(settings) & set(hyper)):
                place = f"optimizers.{path[1]}.settings"
                self.problems.append(f"{where}.{twice[0]} stands in {place} too: keep one")
            else:
                self.parse(shape, own, {**settings, **hyper})

    def single_run(
        self, document: Document, override: Override | None, workloads: Mapping[str, Workload]
    ) -> None:
        """The four names of the single run select something, and its batches fit its data."""
        self.name("optimizers", document.optimizer, "optimizer")
        self.name("schedules", document.schedule, "schedule")
        self.choice("workload", document.workload, "workload", document.workloads)
        self.seed("seed", document.seed)
        self.cell(document, document.workload, document.optimizer, document.schedule)
        workload = workloads.get(document.workload)
        if override and override.batch_size and workload:
            self.batch_size("override.batch_size", workload, override.batch_size)

    def suite(self, name: str, suite: Grid, document: Document) -> None:
        """Names exist, nothing stands twice, and each cell has hyper-parameters."""
        if not self.choice("workload", name, f"suite.{name}", document.workloads):
            return
        lists: dict[str, Sequence[str | int]] = {
            "optimizers": suite.optimizers,
            "schedules": suite.schedules,
            "seeds": suite.seeds,
        }
        for key, values in lists.items():
            twice = [value for i, value in enumerate(values) if value in values[:i]]
            if twice:
                self.problems.append(f"suite.{name}.{key}: {twice[0]!r} stands twice: remove one")
            for value in values:
                if isinstance(value, str):
                    self.name(key, value, f"suite.{name}.{key}")
        for seed in suite.seeds:
            self.seed(f"suite.{name}.seeds", seed)
        for optimizer, schedule in dict.fromkeys(suite.arms):
            self.cell(document, name, optimizer, schedule)

    def seed(self, path: str, seed: int) -> None:
        """A seed's range."""
        if not 0 <= seed < 2**31:
            self.problems.append(f"{path}: got {seed}: a seed must be from 0 to {2**31 - 1}")

    def cell(self, document: Document, workload: str, optimizer: str, schedule: str) -> None:
        """Known names have hyper-parameters and a schedule's arguments."""
        known = (
            optimizer in signatures.names("optimizers")
            and schedule in signatures.names("schedules")
            and workload in document.workloads
        )
        if not known:
            return  # said already
        if schedule not in document.schedules:
            self.problems.append(f"schedules.{schedule} is missing: add its arguments")
        hyper = document.optimizers.get(optimizer, {}).get(workload, {})
        if isinstance(hyper, Mapping) and schedule not in hyper:
            self.problems.append(
                f"optimizers.{optimizer}.{workload}.{schedule} is missing: add its "
                "hyper-parameters, for example {lr: 0.001, weight_decay: 0.0}"
            )

    def search(self, name: str, search: Search, suite: Grid | None, document: Document) -> None:
        """Schedule and stages exist, and each optimizer of the suite has a space of one size."""
        path = ("search", name, "space")
        if not self.choice("workload", name, f"search.{name}", document.workloads):
            return
        self.choice("schedule", search.schedule, f"search.{name}.schedule", document.schedules)
        if not Path("searches", name, "dvc.yaml").is_file():
            self.problems.append(
                f"search.{name}: searches/{name}/dvc.yaml is missing: copy another workload's file "
                "and put this name in place of the other"
            )
        for optimizer in suite.optimizers if suite else ():
            if optimizer not in search.space:
                self.problems.append(
                    f"{'.'.join(path)}.{optimizer} is missing: add its ranges, or take {optimizer} "
                    f"out of suite.{name}.optimizers"
                )
        before = len(self.problems)
        for optimizer, space in search.space.items():
            self.space((*path, optimizer), space, document)
        if len(self.problems) == before:
            self.equal_sizes(".".join(path), search.space)

    def space(self, path: Keys, space: Space, document: Document) -> None:
        """An optimizer's ranges are ranges of arguments that it takes, and name each of them."""
        _, workload, _, optimizer = path
        where = ".".join(path)
        if not self.name("optimizers", optimizer, where):
            return
        before = len(self.problems)
        for name, value in space.items():
            if self.choice("dimension", name, f"{where}.{name}", DIMENSIONS):
                self.range(f"{where}.{name}", value)
        if len(self.problems) > before:
            return
        lows = {name: ranges(space).get(name, (value,))[0] for name, value in space.items()}
        self.parse(signatures.arguments("optimizers", optimizer), path, lows, partial=True)
        per_schedule = document.optimizers.get(optimizer, {}).get(workload, {})
        if not isinstance(per_schedule, Mapping):
            return  # said already
        for schedule, hyper in per_schedule.items():
            if isinstance(hyper, Mapping) and set(hyper) != set(space):
                self.problems.append(
                    f"{where} names {_listed(space)}, but optimizers.{optimizer}.{workload}."
                    f"{schedule} names {_listed(hyper)}: name the same in both; what is not "
                    "searched is a plain number in the space"
                )

    def range(self, path: str, value: Any) -> None:
        """[low, high] with 0 < low < high, or a number."""
        is_pair = isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
        if not (_is_number(value) or (is_pair and 0 < value[0] < value[1])):
            self.problems.append(
                f"{path}: got {value!r}: must be [low, high] with 0 < low < high, or a plain "
                "number that is not searched"
            )

    def equal_sizes(self, path: str, spaces: Mapping[str, Space]) -> None:
        """As many dimensions and decades for each optimizer, else the search favours one."""
        counts = {name: len(ranges(space)) for name, space in spaces.items()}
        lengths = {name: decades(space) for name, space in spaces.items()}
        if not any(counts.values()):
            self.problems.append(f"{path}: nothing is searched: write [low, high] for each lr")
        elif (
            len(set(counts.values())) > 1
            or max(lengths.values()) - min(lengths.values()) > SIZE_TOLERANCE
        ):
            listed = "; ".join(
                f"{name} {count} dimension{'' if count == 1 else 's'}, {lengths[name]:.2f} decades"
                for name, count in counts.items()
            )
            self.problems.append(f"{path}: sizes differ: {listed}: give each optimizer the same")


def _is_number(value: object) -> bool:
    """A finite number; YAML's true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(names: Collection[str]) -> str:
    """Names in a sentence."""
    return ", ".join(sorted(names)) or "nothing"
