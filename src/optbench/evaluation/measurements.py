"""What stages measured, as it is read back: what no run can have left behind is refused."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from optbench.core.errors import UsageError
from optbench.core.run import Run
from optbench.core.score import Score
from optbench.core.tables import (
    are_numbers,
    failing,
    is_count,
    is_finite,
    is_object_of_numbers,
    is_positive,
    is_score,
    read_table,
)
from optbench.cost.cost import Cost, read_cost
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import NONE, ONE_NETWORK, OVER_SEEDS, Summary

INTERVALS = (OVER_SEEDS, ONE_NETWORK, NONE)
# The keys of a fingerprint that tables show.
PLACE = (
    "torch", "device", "cpu", "cpu_capability", "libraries", "threads", "precision", "data_sha256",
)  # fmt: skip


def read_metrics(path: Path, cells: Sequence[Run], score: Score, *, way_out: str) -> list[Metrics]:
    """The metrics of planned cells.

    Raises:
        UsageError: the table is missing, damaged, of other cells, or holds what cannot be.
    """
    metrics = read_table(path, Metrics, lambda row: wrong_metrics(row, score), way_out=way_out)
    if [row.cell for row in metrics] != [cell.cell for cell in cells]:
        raise UsageError(f"{path} holds other cells than the plan: {way_out}")
    return metrics


def read_summaries(
    path: Path, metrics: Sequence[Metrics], score: Score, *, way_out: str
) -> list[Summary]:
    """The summaries of cells.

    Raises:
        UsageError: the table is missing, damaged, of other arms, or holds what cannot be.
    """
    summaries = read_table(path, Summary, lambda row: wrong_summary(row, score), way_out=way_out)
    counts = Counter(row.arm for row in metrics)
    if [(row.arm, row.n + row.diverged) for row in summaries] != list(counts.items()):
        raise UsageError(f"{path} holds other arms than the cells: {way_out}")
    return summaries


def measured_cost(path: Path) -> Cost:
    """The cost of an optimizer's step.

    Raises:
        UsageError: the file is missing, damaged, or holds what cannot be.
    """
    cost = read_cost(path)
    if fields := wrong_cost(cost):
        shown = ", ".join(f"{name} {getattr(cost, name)!r}" for name in fields)
        raise UsageError(f"{path} has what cannot be, {shown}: `dvc repro` measures it again")
    return cost


def wrong_metrics(row: Metrics, score: Score) -> Sequence[str]:
    """The fields of a run's metrics that cannot be."""
    finished = row.diverged_at_step is None
    return failing(
        seed=is_count(row.seed, at_least=0),
        test_score=is_score(row.test_score, score) and finished == (row.test_score is not None),
        test_score_low=is_score(row.test_score_low, score),
        test_score_high=is_score(row.test_score_high, score),
        test_loss=is_finite(row.test_loss),
        validation_score=is_score(row.validation_score, score),
        epochs_to_target=is_positive(row.epochs_to_target),
        diverged_at_step=finished or is_count(row.diverged_at_step),
        extras=is_object_of_numbers(row.extras),
    )


def wrong_summary(row: Summary, score: Score) -> Sequence[str]:
    """The fields of a summary that cannot be."""
    sd, median = row.score_sd, row.epochs_to_target_median
    return failing(
        n=is_count(row.n, at_least=0),
        diverged=is_count(row.diverged, at_least=0),
        score_mean=is_score(row.score_mean, score) and (row.n > 0) == (row.score_mean is not None),
        score_sd=is_finite(sd) and (sd is None or sd >= 0),
        score_low=is_score(row.score_low, score),
        score_high=is_score(row.score_high, score),
        interval=row.interval in INTERVALS,
        loss_mean=is_finite(row.loss_mean),
        reached_target=0 <= row.reached_target <= row.n,
        epochs_to_target_median=is_positive(median)
        and (row.reached_target > 0) == (median is not None),
        tuning=isinstance(row.tuning, str),  # None: cut off
    )


def wrong_cost(cost: Cost) -> Sequence[str]:
    """The fields of a cost that cannot be."""
    positive = (
        "step_time_s", "sgd_step_time_s", "step_time_ratio", "step_time_ratio_q1",
        "step_time_ratio_q3",
    )  # fmt: skip
    fingerprint, kinds = cost.fingerprint, cost.ratio_by_kind
    return failing(
        **{
            name: getattr(cost, name) is not None and is_positive(getattr(cost, name))
            for name in positive
        },
        pairs=is_count(cost.pairs),
        ratio_by_kind=are_numbers(kinds) and len(kinds) > 0 and min(kinds.values()) > 0,
        steps_per_epoch=is_count(cost.steps_per_epoch),
        optimizer_state_bytes=is_count(cost.optimizer_state_bytes, at_least=0),
        peak_memory_bytes=is_count(cost.peak_memory_bytes),
        fingerprint=isinstance(fingerprint, Mapping)
        and all(isinstance(fingerprint.get(name), str | int) for name in PLACE)
        and is_count(fingerprint["threads"]),
    )
