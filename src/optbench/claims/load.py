"""Reads and validates the claims of a post."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from optbench.claims.schema import (
    SCORE,
    SHAPES,
    AdviceClaim,
    Baseline,
    Claim,
    Claims,
    Contrast,
    Document,
    EquivalenceClaim,
    MeasuredClaim,
    OrderingClaim,
    ResourceClaim,
    Usage,
    ValueClaim,
)
from optbench.core.arm import PUBLISHED, TUNED, UNTUNED, Arm
from optbench.core.score import Score
from optbench.params.check import Checker
from optbench.params.document import read_yaml
from optbench.params.messages import DocumentError, unknown

CLAIMS = Path("claims.yaml")  # of the main post


class ClaimsError(DocumentError):
    """The claims of a post cannot be used."""

    way_out = "No claim was judged: mend {file}, or take it back with `git restore {file}`."


def load_claims(path: Path = CLAIMS, *, scores: Mapping[str, Score]) -> Claims:
    """Reads and validates the claims of a post; `scores` are those of the workloads.

    Raises:
        ClaimsError: the file is not usable; the message holds every problem that is there.
    """
    checker, refusal = Checker(), partial(ClaimsError, file=path)
    document = checker.parse(Document, (), read_yaml(path, refusal=refusal))
    if document is None:
        raise refusal(checker.problems)
    baselines = checker.parse_each(Baseline, "baselines", document.baselines)
    claims = [
        claim
        for index, entry in enumerate(document.claims)
        if (claim := _parse(checker, index, entry)) is not None
    ]
    for name, baseline in baselines.items():
        if checker.choice("workload", name, f"baselines.{name}", scores):
            _check_baseline(checker, f"baselines.{name}", baseline, scores[name])
    rules = _Rules(checker, scores)
    for claim in claims:
        rules.check(f"claims.{claim.id}", claim)
    usage = checker.parse_each(Usage, "usage", document.usage)
    resources = [claim.id for claim in claims if isinstance(claim, ResourceClaim)]
    for name in document.usage:
        checker.choice("resource claim", name, f"usage.{name}", resources)
    _check_ids(checker, document.claims)
    if checker.problems:
        raise refusal(checker.problems)
    return Claims(
        file=path,
        post=document.post,
        claims=claims,
        baselines=baselines,
        scores=scores,
        usage=usage,
    )


def _parse(checker: Checker, index: int, entry: Any) -> Claim | None:
    """An entry as the claim of its kind; paths go by its id where it has one."""
    if not isinstance(entry, Mapping):
        checker.add(f"claims.{index}: got {entry!r}: must be a mapping of keys")
        return None
    path = ("claims", str(entry.get("id", index)))
    if "kind" not in entry:
        checker.add(f"{'.'.join(path)}.kind is missing: add it")
        return None
    kind = entry["kind"]
    if not isinstance(kind, str) or kind not in SHAPES:
        checker.add(unknown(".".join((*path, "kind")), "kind", kind, SHAPES))
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


def _check_baseline(checker: Checker, path: str, baseline: Baseline, score: Score) -> None:
    """Its arm exists, and its band is a band of possible scores."""
    _check_arm(checker, path, Arm.of(baseline.arm))
    check_possible(checker, f"{path}.low", baseline.low, score)
    check_possible(checker, f"{path}.high", baseline.high, score)
    if baseline.low >= baseline.high:
        checker.add(f"{path}: low {baseline.low} must be below high {baseline.high}")


class _Rules:
    """What claims must fulfil beyond their shapes."""

    def __init__(self, checker: Checker, scores: Mapping[str, Score]) -> None:
        self.checker, self.scores = checker, scores

    def check(self, path: str, claim: Claim) -> None:
        """Names exist, and values are possible."""
        workload = getattr(claim, "workload", None)
        if workload is None:  # a formula's
            return
        if not self.checker.choice("workload", workload, f"{path}.workload", self.scores):
            return
        match claim:
            case ValueClaim():
                self.value(path, claim)
            case OrderingClaim():
                self.contrasts(path, claim)
                if workload in claim.transfer:
                    self.checker.add(
                        f"{path}.transfer: {workload} is the claim's own workload: remove it"
                    )
            case EquivalenceClaim():
                self.contrast(f"{path}.contrast", claim.contrast)
                _check_margin(
                    self.checker, f"{path}.margin", claim.margin, self.scores[claim.workload]
                )
            case AdviceClaim():
                self.advice(path, claim)
                self.contrasts(path, claim)
                self.sweeps(f"{path}.sweeps", claim)
            case MeasuredClaim():
                self.checker.name("optimizers", claim.optimizer, f"{path}.optimizer")

    def value(self, path: str, claim: ValueClaim) -> None:
        """Of an arm that searches nothing, and possible."""
        score, arm = self.scores[claim.workload], Arm.of(claim.arm)
        _check_arm(self.checker, f"{path}.arm", arm)
        if arm.tuning == TUNED:
            self.checker.add(
                f"{path}.arm: got '{claim.arm}': a value is of a fixed point: name "
                f"{arm.key}-{PUBLISHED} for the row of its room, or {arm.key}-{UNTUNED} for the "
                "values of the optimizer's authors"
            )
        self.checker.unique(f"{path}.studies", claim.studies)
        check_possible(self.checker, f"{path}.claimed", claim.claimed, score)
        _check_margin(self.checker, f"{path}.margin", claim.margin, score)

    def advice(self, path: str, claim: AdviceClaim) -> None:
        """Something would decide it, or nothing measures it; then no arms are compared."""
        if (claim.needs is None) == (claim.no_measure is None):
            self.checker.add(
                f"{path}: give one of needs (what would decide it) and no_measure (why nothing can)"
            )
        if claim.no_measure is not None and claim.contrasts:
            self.checker.add(
                f"{path}.contrasts: advice of no measure compares nothing: remove contrasts"
            )

    def contrast(self, path: str, contrast: Contrast) -> None:
        """Two arms that exist."""
        first, second = contrast.arms
        _check_arm(self.checker, f"{path}.first", first)
        _check_arm(self.checker, f"{path}.second", second)
        if first == second:
            self.checker.add(f"{path}: first and second are the same: name two arms")

    def contrasts(self, path: str, claim: OrderingClaim | AdviceClaim) -> None:
        """Arms exist and differ, and so do the workloads that transfer evidence comes from."""
        for index, contrast in enumerate(claim.contrasts):
            self.contrast(f"{path}.contrasts.{index}", contrast)
        score = self.scores[claim.workload]
        is_scored = claim.quantity == SCORE and claim.margin > 0
        if is_scored:
            _check_margin(self.checker, f"{path}.margin", claim.margin, score)
        for workload in claim.transfer:
            known = self.checker.choice("workload", workload, f"{path}.transfer", self.scores)
            if known and is_scored and self.scores[workload] != score:
                self.checker.add(
                    f"{path}.transfer: the margin is one of {score.name}, which {workload} does "
                    "not measure: remove it"
                )

    def sweeps(self, path: str, claim: AdviceClaim) -> None:
        """Each reads a value, or a contrast at some; which there are is the workload's to say."""
        for index, reading in enumerate(claim.sweeps):
            self.checker.choice("workload", reading.workload, f"{path}.{index}", self.scores)
            if reading.contrast is not None:
                self.contrast(f"{path}.{index}.contrast", reading.contrast)
            if (reading.value is None) != (reading.contrast is not None) or (
                (reading.contrast is None) == bool(reading.at)
            ):
                self.checker.add(
                    f"{path}.{index}: must have a value, or a contrast and values `at` which its "
                    "first arm is ahead, one of the two"
                )


def check_possible(checker: Checker, path: str, value: float, score: Score) -> None:
    """A score is possible."""
    if not score.holds(value):
        stored = value / score.factor
        hint = f": as it is stored, write {stored:g}" if score.holds(stored) else ""
        checker.add(f"{path}: got {value}: no {score.name} can be that{hint}")


def _check_margin(checker: Checker, path: str, margin: float, score: Score) -> None:
    """Two scores may be so far apart."""
    if score.low is not None and score.high is not None and margin >= score.high - score.low:
        checker.add(
            f"{path}: got {margin}: must be below {score.high - score.low:g}, the largest "
            f"difference of {score.name}"
        )


def _check_arm(checker: Checker, path: str, arm: Arm) -> None:
    """Optimizer and schedule exist."""
    checker.name("optimizers", arm.optimizer, path)
    checker.name("schedules", arm.schedule, path)
