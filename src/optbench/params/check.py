"""Collects what is wrong with a document that a person wrote, before it is reported."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from optbench.core.run import MAX_SEED
from optbench.params import schema, signatures
from optbench.params.messages import sentence, unknown

T = TypeVar("T")
Keys = tuple[str, ...]
DEVICE = r"auto|cpu|mps|cuda(:\d{1,2})?"


class Checker:
    """Parses parts of a document and collects their problems, a sentence each."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, problem: str) -> None:
        """Notes a problem."""
        self.problems.append(problem)

    def parse(self, shape: type[T], path: Keys, value: Any) -> T | None:
        """A value as a dataclass or model; None where it has problems."""
        parsed, errors = schema.parse(shape, value)
        self.problems += [
            sentence(path, error, schema.keys_at(shape, error["loc"])) for error in errors
        ]
        return parsed

    def parse_each(self, shape: type[T], key: str, values: Mapping[str, Any]) -> dict[str, T]:
        """The values of a mapping, each parsed; those with problems are left out."""
        parsed = {name: self.parse(shape, (key, name), value) for name, value in values.items()}
        return {name: value for name, value in parsed.items() if value is not None}

    def arguments(
        self, kind: str, name: str, path: Keys, values: Any, *, supplied: tuple[str, ...] = ()
    ) -> dict[str, Any] | None:
        """The arguments of a part that exists, typed, defaults included; None with problems.

        Raises:
            UsageError: its file's signature cannot be read.
        """
        if not isinstance(values, Mapping):
            self.add(f"{'.'.join(path)}: got {values!r}: must map names to values")
            return None
        parsed = self.parse(signatures.arguments(kind, name, supplied), path, values)
        return None if parsed is None else parsed.model_dump()

    def name(self, kind: str, name: object, path: str) -> bool:
        """Whether a part exists."""
        return self.choice(signatures.SINGULAR[kind], name, path, signatures.names(kind))

    def choice(self, what: str, name: object, path: str, known: Collection[object]) -> bool:
        """Whether a name is among the known ones."""
        if name not in known:
            self.add(unknown(path, what, name, known))
        return name in known

    def device(self, name: str, path: str) -> None:
        """A device's name; whether it is present shows when training starts."""
        if not re.fullmatch(DEVICE, name):
            self.add(f"{path}: got '{name}': must be auto, cpu, mps, cuda or cuda:N, N below 100")

    def seed(self, path: str, seed: int) -> None:
        """A seed's range."""
        if not 0 <= seed <= MAX_SEED:
            self.add(f"{path}: got {seed}: a seed must be from 0 to {MAX_SEED}")

    def unique(self, path: str, values: Sequence[object]) -> None:
        """Nothing stands twice."""
        twice = [value for i, value in enumerate(values) if value in values[:i]]
        if twice:
            self.add(f"{path}: {twice[0]!r} stands twice: remove one of the two")
