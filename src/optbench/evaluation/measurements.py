"""What stages measured, as it is read back: what no run can have left behind is refused."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from optbench.core.arm import LABELS, Arm
from optbench.core.errors import UsageError
from optbench.core.score import Score
from optbench.core.tables import (
    failing,
    is_count,
    is_finite,
    is_object_of_numbers,
    is_positive,
    is_score,
    read_table,
)
from optbench.evaluation.metrics import Metrics
from optbench.evaluation.summary import NONE, ONE_NETWORK, OVER_STUDIES, Summary

INTERVALS = (OVER_STUDIES, ONE_NETWORK, NONE)


def read_metrics(
    path: Path, suite: Sequence[tuple[Arm, int]], score: Score, *, way_out: str
) -> list[Metrics]:
    """The metrics of a suite's studies, each an arm and a number.

    Raises:
        UsageError: the table is missing, damaged, of other studies, or holds what cannot be.
    """
    metrics = read_table(path, Metrics, lambda row: wrong_metrics(row, score), way_out=way_out)
    if [(row.arm, row.study) for row in metrics] != list(suite):
        raise UsageError(f"{path} holds other studies than the suite has: {way_out}")
    return metrics


def read_summaries(
    path: Path, metrics: Sequence[Metrics], score: Score, *, way_out: str
) -> list[Summary]:
    """The summaries of studies.

    Raises:
        UsageError: the table is missing, damaged, of other arms, or holds what cannot be.
    """
    summaries = read_table(path, Summary, lambda row: wrong_summary(row, score), way_out=way_out)
    counts = Counter(row.arm for row in metrics)
    if [(row.arm, row.n + row.diverged) for row in summaries] != list(counts.items()):
        raise UsageError(f"{path} holds other arms than the studies: {way_out}")
    return summaries


def wrong_metrics(row: Metrics, score: Score) -> Sequence[str]:
    """The fields of a study's metrics that cannot be."""
    finished = row.diverged_at_step is None
    return failing(
        tuning=row.tuning in LABELS,
        study=row.study is None or is_count(row.study, at_least=0),
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
        tuning=row.tuning in LABELS,
        n=is_count(row.n, at_least=0),
        diverged=is_count(row.diverged, at_least=0),
        score_mean=is_score(row.score_mean, score) and (row.n > 0) == (row.score_mean is not None),
        score_sd=is_finite(sd) and (sd is None or sd >= 0),
        score_low=is_score(row.score_low, score),
        score_high=is_score(row.score_high, score),
        interval=row.interval in INTERVALS,
        next_low=is_score(row.next_low, score),
        next_high=is_score(row.next_high, score),
        loss_mean=is_finite(row.loss_mean),
        reached_target=0 <= row.reached_target <= row.n,
        epochs_to_target_median=is_positive(median)
        and (row.reached_target > 0) == (median is not None),
    )
