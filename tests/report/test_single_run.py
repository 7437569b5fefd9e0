"""The single run in words, beside the runs that are not itself; and how long it trained."""

import dataclasses
import json
from pathlib import Path

import pytest
from tests.evaluation.examples import ACCURACY, ADAM, ERROR, SGD, runs

from optbench.core.prose import Prose
from optbench.core.records import Point
from optbench.core.run import Run
from optbench.evaluation.evaluate import rank, without
from optbench.evaluation.summary import summarise
from optbench.params.load import load_params, load_room
from optbench.params.plan import cells
from optbench.params.schema import Override
from optbench.report.single_run import run_against_suite, training_s, unlike_cells

NONE = Override()
CELLS = [*runs(SGD, 0.95, 0.90, 0.91), *runs(ADAM, 0.92, 0.92, 0.92)]
RUN = CELLS[0]


@pytest.fixture(scope="module")
def plan() -> list[Run]:
    """Three seeds of sgd and of adam under cosine, sgd's seed 0 first."""
    return [
        run
        for run in cells(load_room("digits-cnn", load_params()))
        if run.optimizer in ("sgd", "adam") and run.schedule == "cosine" and run.seed < 3
    ]


def words(run, others, score=ACCURACY, withheld=None) -> str:
    return run_against_suite(run, others, NONE, score=score, withheld=withheld)


def test_a_run_is_not_held_against_itself(plan):
    others = summarise(without(CELLS, plan, plan[0]), score=ACCURACY)
    assert [(s.optimizer, s.n) for s in others] == [("sgd", 2), ("adam", 3)]
    text = words(RUN, others)
    assert (
        "rank 1 beside the 2 means of the suite's other runs; best adam / cosine, 92.00 %" in text
    )
    assert "this run +3.00 pp" in text
    # The control: with another value it is another run, and the suite's own counts; the value that
    # it has anyway changes nothing.
    assert without(CELLS, plan, Override(lr=0.5).apply(plan[0])) == CELLS
    same = Override(lr=plan[0].optimizer_args["lr"]).apply(plan[0])
    assert len(without(CELLS, plan, same)) == len(CELLS) - 1


def test_a_run_with_more_threads_than_its_cell_is_not_held_against_it(plan):
    wider = dataclasses.replace(plan[0].settings, threads=7)
    run = dataclasses.replace(plan[0], settings=wider)
    assert len(without(CELLS, plan, run)) == len(CELLS) - 1
    note = unlike_cells(run, plan)
    assert note is not None
    assert note.startswith("It trained with 7 threads, the suite's runs with 1: ")
    assert unlike_cells(plan[0], plan) is None
    longer = dataclasses.replace(wider, batch_size=7)
    assert without(CELLS, plan, dataclasses.replace(run, settings=longer)) == CELLS


def test_an_arm_of_this_run_alone_is_not_there(plan):
    assert summarise(without([RUN], plan, plan[0]), score=ACCURACY) == []
    assert "rank" not in words(RUN, [])


def test_where_nothing_is_ranked_the_run_has_no_rank():
    others = summarise(CELLS, score=ACCURACY)
    assert rank(RUN, others, ACCURACY) == 1
    text = words(RUN, others, withheld=Prose.of("the baseline misses its band"))
    assert text.endswith("No rank is given: the baseline misses its band.")
    assert "best" not in text


def test_where_less_is_better_the_best_is_the_lowest():
    """By hand: means 0.92 (sgd) and 0.92; the run's 0.95 is worse than both."""
    others = summarise(CELLS[1:], score=ERROR)
    text = words(RUN, others, score=ERROR)
    assert text.splitlines()[0].endswith("test mean squared error 0.9500")
    assert "rank 3 beside the 2 means of the suite's other runs; best sgd / cosine, 0.9050" in text
    assert "this run +0.0450, 95 % interval" in text
    assert "rank 1 " in words(RUN, summarise(CELLS[1:], score=ACCURACY))  # the control


def test_overrides_and_divergence_are_told():
    changed = run_against_suite(RUN, [], Override(lr=0.5), score=ACCURACY, withheld=None)
    assert changed.startswith("sgd / cosine / seed 0 with lr 0.5: test accuracy 95.00 %")
    diverged = dataclasses.replace(RUN, test_score=None, diverged_at_step=7)
    assert words(diverged, []) == "sgd / cosine / seed 0: diverged at step 7"


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
