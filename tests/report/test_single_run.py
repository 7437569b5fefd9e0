"""The single run in words, and where it lies among its arm's trials; and how long it trained."""

import dataclasses
import json
from pathlib import Path

import pytest
from tests.evaluation.examples import ACCURACY, ERROR, SGD, metrics, outcome, planned, trial

from optbench.core.records import Point
from optbench.evaluation.evaluate import Result
from optbench.evaluation.metrics import Metrics
from optbench.params.schema import Override
from optbench.report.single_run import (
    Standing,
    run_in_words,
    source_of_values,
    standing_of,
    training_s,
)

NONE = Override()
RUN = dataclasses.replace(metrics(SGD, 0, 0.90), study=None, seed=0)


def result(number: int, test: float | None, *trials) -> Result:
    """A study that chose a run of this test score."""
    return Result(
        arm=SGD, number=number, folder=Path(), trials=trials, outcome=outcome(test_score=test)
    )


STUDIES = [
    result(0, 0.92, trial(1, 0.9, 0.92, lr=0.01), trial(2, 0.8, 0.90, lr=0.1)),
    result(1, 0.88, trial(1, 0.7, 0.88, study=1), trial(2, None, None, study=1)),
]


def words(run: Metrics, score=ACCURACY, override=NONE, results=STUDIES) -> str:
    return run_in_words(run, standing_of(run, results, score), override, score)


def test_where_a_run_lies_by_hand():
    """Above 0.88 and the trial that diverged, level with 0.90: 2.5 of 4; of choices, 1 of 2."""
    assert standing_of(RUN, STUDIES, ACCURACY) == Standing(
        above_trials=0.625, trials=4, above_studies=0.5, studies=2
    )
    lines = words(RUN).splitlines()
    assert lines == [
        "sgd / cosine / seed 0: test accuracy 90.00 %",
        "better than 62 % of the 4 trials of sgd / cosine, and than 50 % of what its 2 studies "
        "chose",
    ]


def test_where_less_is_better_the_lower_is_ahead():
    """The diverged trial is below all whichever way is better: 0.92, it, and half of 0.90."""
    standing = standing_of(RUN, STUDIES, ERROR)
    assert (standing.above_trials, standing.above_studies) == (0.625, 0.5)
    better = dataclasses.replace(RUN, test_score=0.85)
    assert standing_of(better, STUDIES, ERROR).above_trials == 1.0
    assert standing_of(better, STUDIES, ACCURACY).above_trials == 0.25  # the control


def test_a_run_is_never_ranked_beside_studies():
    """Its values are the best of all trials, each study's of its own alone."""
    assert "rank" not in words(RUN)
    assert "%" in words(RUN)


def test_an_arm_without_studies_says_nothing_of_where_a_run_lies():
    assert standing_of(RUN, [], ACCURACY) == Standing()
    assert words(RUN, results=[]).endswith("no study of sgd / cosine says where that lies")


def test_the_interval_of_one_network_is_told():
    known = dataclasses.replace(RUN, test_score_low=0.88, test_score_high=0.92)
    assert "test accuracy 90.00 % (88.00 to 92.00, one network)" in words(known)


def test_overrides_and_divergence_are_told():
    changed = words(RUN, override=Override(lr=0.5))
    assert changed.startswith("sgd / cosine / seed 0 with lr 0.5: test accuracy 90.00 %")
    diverged = dataclasses.replace(RUN, test_score=None, diverged_at_step=7)
    assert words(diverged) == "sgd / cosine / seed 0: diverged at step 7"


def test_values_of_the_best_trial_of_all_are_named_so():
    best = planned(args={"lr": 0.01, "weight_decay": 0.001, "momentum": 0.9})
    said = "its values: best of 4 trials, by validation"
    assert source_of_values(best, STUDIES, ACCURACY) == said
    other = planned(args={"lr": 0.1, "weight_decay": 0.001, "momentum": 0.9})
    assert source_of_values(other, STUDIES, ACCURACY) is None  # the control
    assert source_of_values(best, [], ACCURACY) is None


HISTORY = [
    Point(step=10 * n, epoch=n / 2, train_loss=1.0, heldout_loss=1 / n, heldout_score=0.5, lr=0.1,
          momentum=None, gradient_norm=1.0)
    for n in (1, 2, 3)
]  # fmt: skip


def log(path: Path, *lines: tuple[int, float, float]) -> Path:
    names = ("step", "heldout_loss", "time_s")
    path.write_text(
        "".join(json.dumps(dict(zip(names, line, strict=True))) + "\n" for line in lines)
    )
    return path


def test_the_time_is_the_sum_over_points(tmp_path):
    file = log(tmp_path / "log", (10, 1.0, 2.0), (20, 0.5, 3.0), (30, 1 / 3, 4.0))
    assert training_s(file, HISTORY) == 9.0


def test_a_point_that_was_trained_to_twice_counts_once(tmp_path):
    file = log(tmp_path / "log", (10, 1.0, 2.0), (20, 0.5, 3.0), (20, 0.5, 5.0), (30, 1 / 3, 4.0))
    assert training_s(file, HISTORY) == 11.0


def test_the_log_of_other_results_says_nothing(tmp_path):
    assert training_s(tmp_path / "none", HISTORY) is None
    file = log(tmp_path / "log", (10, 1.0, 2.0), (20, 0.4, 3.0), (30, 1 / 3, 4.0))
    assert training_s(file, HISTORY) is None
    file = log(tmp_path / "log", (10, 1.0, 2.0), (21, 0.5, 3.0), (30, 1 / 3, 4.0))
    assert training_s(file, HISTORY) is None
    assert training_s(log(tmp_path / "log", (10, 1.0, 2.0)), HISTORY) is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"step": 30, "held', b"\xff\xfe\x00", b"[]", b"3", b"null", b'{"step": 30}', b"[" * 9999,
        b'{"step": [30], "heldout_loss": 0.1, "time_s": 1}',
        b'{"step": 30, "heldout_loss": 0.1, "time_s": "1"}',
        b'{"step": 30, "heldout_loss": 0.1, "time_s": NaN}',
    ],
)  # fmt: skip
def test_a_damaged_line_of_the_log_ends_nothing(tmp_path, line):
    lines = (10, 1.0, 2.0), (20, 0.5, 3.0), (30, 1 / 3, 4.0)
    file = log(tmp_path / "log", *lines)
    whole = file.read_bytes()
    file.write_bytes(line + b"\n" + whole + line)  # beside the whole ones it does not count
    assert training_s(file, HISTORY) == 9.0
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + line)
    assert training_s(file, HISTORY) is None


def test_a_log_that_is_no_file_says_nothing(tmp_path):
    (tmp_path / "log").mkdir()
    assert training_s(tmp_path / "log", HISTORY) is None
