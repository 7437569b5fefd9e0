"""claims.yaml: what the post claims, each claim with the runs and the rule that judge it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen

from optbench.params.check import Checker
from optbench.params.document import UniqueKeys, read_yaml
from optbench.params.messages import DocumentError, unknown
from optbench.params.schema import Grid

CLAIMS = Path("claims.yaml")

Arm = tuple[str, str]  # optimizer, schedule
Setting = Literal["cifar10-resnet18", "imagenet-resnet50"]  # the post's own
Fraction = Annotated[float, Gt(0), Lt(1)]
Margin = Annotated[float, Gt(0)]
Accuracy = Literal["test_accuracy"]
Compared = Literal["test_accuracy", "epochs_to_target"]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two arms; the claim says that the first beats the second."""

    first: Arm
    second: Arm


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What every claim has."""

    id: Annotated[str, MinLen(1)]
    place: Annotated[str, MinLen(1)]  # in the post
    text: Annotated[str, MinLen(1)]  # in our words


@dataclass(frozen=True, kw_only=True)
class ValueClaim(Claim):
    """An accuracy of one optimizer and schedule; a fraction, as `claimed` and `margin` are."""

    kind: Literal["value"]
    quantity: Accuracy
    workload: Setting
    claimed: Fraction
    margin: Margin
    k0: Annotated[int, Ge(1)]  # runs that the claimed value is a mean of; 1 where the post is mute
    runs: Grid


@dataclass(frozen=True, kw_only=True)
class OrderingClaim(Claim):
    """The first of each contrast beats the second by at least `margin`, on the same seeds."""

    kind: Literal["ordering"]
    quantity: Compared
    workload: Setting
    margin: Annotated[float, Ge(0)]
    runs: Grid
    contrasts: Annotated[tuple[Contrast, ...], MinLen(1)]
    transfer: tuple[str, ...]  # smaller workloads that may say something of the same ordering


@dataclass(frozen=True, kw_only=True)
class MeasuredClaim(Claim):
    """What a step or a run takes, on a device that `device` is a part of."""

    workload: Setting
    claimed: Annotated[float, Gt(0)]
    margin: Margin
    optimizer: str
    device: str


@dataclass(frozen=True, kw_only=True)
class RatioClaim(MeasuredClaim):
    """The time of an optimizer's step beside SGD's."""

    kind: Literal["ratio"]
    quantity: Literal["step_time_ratio"]


@dataclass(frozen=True, kw_only=True)
class ResourceClaim(MeasuredClaim):
    """What a run takes; storage_gb and ram_gb are recorded, and nothing here measures them."""

    kind: Literal["resource"]
    quantity: Literal["training_hours", "peak_memory_gb", "storage_gb", "ram_gb"]


@dataclass(frozen=True, kw_only=True)
class FormulaClaim(Claim):
    """A formula that the post prints, to be computed beside its source's."""

    kind: Literal["formula"]
    quantity: Literal["radam_rho"]
    beta2: Annotated[float, Gt(0.6), Lt(1)]  # up to 0.6 rho_inf is at most 4: nothing to rectify


@dataclass(frozen=True, kw_only=True)
class AdviceClaim(Claim):
    """Advice that no single run decides; contrasts on other workloads may speak for it or not."""

    kind: Literal["advice"]
    workload: Setting
    needs: Annotated[str, MinLen(1)]  # what would decide it there
    quantity: Compared = "test_accuracy"
    margin: Annotated[float, Ge(0)] = 0.0
    contrasts: tuple[Contrast, ...] = ()
    transfer: tuple[str, ...] = ()


SHAPES: dict[str, type[Claim]] = {
    "value": ValueClaim,
    "ordering": OrderingClaim,
    "ratio": RatioClaim,
    "resource": ResourceClaim,
    "formula": FormulaClaim,
    "advice": AdviceClaim,
}


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The band that others' runs give a workload's baseline; outside of it nothing is ranked."""

    optimizer: str
    schedule: str
    low: Fraction
    high: Annotated[float, Gt(0), Le(1)]
    source: Annotated[str, MinLen(1)]


@dataclass(frozen=True, kw_only=True)
class Claims:
    """A validated claims.yaml."""

    claims: Sequence[Claim]
    baselines: Mapping[str, Baseline]  # by workload


@dataclass(frozen=True, kw_only=True)
class Document:
    """The top level of claims.yaml."""

    baselines: Mapping[str, Any]
    claims: tuple[Any, ...]


class ClaimsError(DocumentError):
    """claims.yaml cannot be used."""

    file = "claims.yaml"
    way_out = (
        "No claim was judged: mend claims.yaml, or take it back with `git restore claims.yaml`."
    )


def load_claims(path: Path = CLAIMS, *, workloads: Collection[str]) -> Claims:
    """Reads and validates claims.yaml; `workloads` are those that transfer evidence may name.

    A claim's own workload need not be among them: it is then not run.

    Raises:
        ClaimsError: the file is not usable; the message holds every problem that was found.
    """
    checker = Checker()
    document = checker.parse(Document, (), read_yaml(path, loader=NoAliases, refusal=ClaimsError))
    if document is None:
        raise ClaimsError(checker.problems)
    baselines = checker.parse_each(Baseline, "baselines", document.baselines)
    claims = [
        claim
        for index, entry in enumerate(document.claims)
        if (claim := _parse(checker, index, entry)) is not None
    ]
    for name, baseline in baselines.items():
        known = {*workloads, *get_args(Setting)}
        checker.choice("workload", name, f"baselines.{name}", known)
        _check_baseline(checker, f"baselines.{name}", baseline)
    for claim in claims:
        _check(checker, f"claims.{claim.id}", claim, workloads)
    _check_ids(checker, document.claims)
    if checker.problems:
        raise ClaimsError(checker.problems)
    return Claims(claims=claims, baselines=baselines)


def _parse(checker: Checker, index: int, entry: Any) -> Claim | None:
    """An entry as the claim of its kind; paths go by its id where it has one."""
    if not isinstance(entry, Mapping):
        checker.problems.append(f"claims.{index}: got {entry!r}: must be a mapping of keys")
        return None
    path = ("claims", str(entry.get("id", index)))
    if "kind" not in entry:
        checker.problems.append(f"{'.'.join(path)}.kind is missing: add it")
        return None
    kind = entry["kind"]
    if not isinstance(kind, str) or kind not in SHAPES:
        checker.problems.append(unknown(".".join((*path, "kind")), "kind", kind, SHAPES))
        return None
    return checker.parse(SHAPES[kind], path, entry)


def _check_ids(checker: Checker, entries: Sequence[Any]) -> None:
    """Each id stands once."""
    ids = Counter(
        str(entry["id"]) for entry in entries if isinstance(entry, Mapping) and "id" in entry
    )
    checker.problems += [
        f"claims.{name}: the id '{name}' stands {count} times: give each claim its own"
        for name, count in ids.items()
        if count > 1
    ]


def _check_baseline(checker: Checker, path: str, baseline: Baseline) -> None:
    """Its names exist, and its band is a band."""
    _check_arm(checker, path, (baseline.optimizer, baseline.schedule))
    if baseline.low >= baseline.high:
        checker.problems.append(f"{path}: low {baseline.low} must be below high {baseline.high}")


def _check(checker: Checker, path: str, claim: Claim, workloads: Collection[str]) -> None:
    """Names exist, and the runs hold what the claim compares."""
    match claim:
        case ValueClaim():
            _check_runs(checker, f"{path}.runs", claim.runs)
            if len(claim.runs.optimizers) != 1 or len(claim.runs.schedules) != 1:
                checker.problems.append(
                    f"{path}.runs: a value is one optimizer's under one schedule: name one of each"
                )
        case OrderingClaim():
            _check_runs(checker, f"{path}.runs", claim.runs)
            _check_contrasts(checker, path, claim, workloads)
            _check_covered(checker, path, claim)
        case AdviceClaim():
            _check_contrasts(checker, path, claim, workloads)
        case MeasuredClaim():
            checker.name("optimizers", claim.optimizer, f"{path}.optimizer")


def _check_runs(checker: Checker, path: str, runs: Grid) -> None:
    """Names and seeds exist, and none stands twice."""
    for key, values in vars(runs).items():
        if not values:
            checker.problems.append(f"{path}.{key}: got none: name at least one")
        checker.problems += [
            f"{path}.{key}: {value!r} stands twice: remove one"
            for value, count in Counter(values).items()
            if count > 1
        ]
    for optimizer in runs.optimizers:
        checker.name("optimizers", optimizer, f"{path}.optimizers")
    for schedule in runs.schedules:
        checker.name("schedules", schedule, f"{path}.schedules")
    for seed in runs.seeds:
        checker.seed(f"{path}.seeds", seed)


def _check_contrasts(
    checker: Checker, path: str, claim: OrderingClaim | AdviceClaim, workloads: Collection[str]
) -> None:
    """Arms exist and differ, and so do the workloads that transfer evidence comes from."""
    for index, contrast in enumerate(claim.contrasts):
        where = f"{path}.contrasts.{index}"
        _check_arm(checker, f"{where}.first", contrast.first)
        _check_arm(checker, f"{where}.second", contrast.second)
        if contrast.first == contrast.second:
            checker.problems.append(f"{where}: first and second are the same: name two arms")
    for workload in claim.transfer:
        checker.choice("workload", workload, f"{path}.transfer", workloads)


def _check_covered(checker: Checker, path: str, claim: OrderingClaim) -> None:
    """The runs hold every arm, and the claim's own workload is no transfer evidence."""
    arms = {arm for contrast in claim.contrasts for arm in (contrast.first, contrast.second)}
    for optimizer, schedule in sorted(arms):
        if optimizer not in claim.runs.optimizers or schedule not in claim.runs.schedules:
            checker.problems.append(
                f"{path}.runs: contrasts compare {optimizer} / {schedule}, which is not among the "
                "runs: add it"
            )
    if claim.workload in claim.transfer:
        checker.problems.append(
            f"{path}.transfer: {claim.workload} is the claim's own workload: remove it"
        )


def _check_arm(checker: Checker, path: str, arm: Arm) -> None:
    """Optimizer and schedule exist."""
    checker.name("optimizers", arm[0], path)
    checker.name("schedules", arm[1], path)


class NoAliases(UniqueKeys):
    """A loader that refuses aliases, so that a short text cannot hold much, and odd keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As SafeLoader's."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias: write the value out", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As SafeLoader's."""
        mapping = super().construct_mapping(node, deep)
        for key in mapping:
            if not isinstance(key, str):
                problem = f"got {key!r} as a key: a key must be text, so quote it"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return mapping
