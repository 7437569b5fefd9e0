"""How far a training is, from the lines that it writes itself."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from optbench.core.records import Diagnostic, Point
from optbench.scaling.tail import SHORT, TAIL_BYTES, Progress, message, read_progress
from optbench.supervision.progress import VARIABLE, PointProgress, log_of
from optbench.tasks.image_classification.score import SCORE

NAME = "digits-cnn/sgd-cosine-0/1"
LINE = {"since_step": 8, "step": 12, "steps": 40, "heldout": "accuracy 91.25 %", "time_s": 2.0}


@pytest.fixture
def watched(tmp_path: Path, monkeypatch) -> Path:
    """Where a trainer is told to say how far it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "watched.jsonl"))
    return tmp_path / "watched.jsonl"


def point(step: int, score: float) -> Point:
    values = dict.fromkeys(("train_loss", "heldout_loss", "lr", "gradient_norm"), 0.25)
    return Point(step=step, epoch=step / 10, heldout_score=score, momentum=None, **values)


def train(start: int, *points: Point, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
    """What a trainer that goes on after a step writes."""
    training = SimpleNamespace(step=start, steps=40)
    with PointProgress(NAME, training, SCORE) as progress:
        for each in points:
            progress.point(each, diagnostics)


def test_the_last_point_counts_whatever_the_optimizer_tells(watched):
    damping = Diagnostic(step=6, name="damping", value=0.002)
    train(0, point(4, 0.85), point(8, 0.9125), diagnostics=(damping,))
    progress = read_progress(watched)
    assert (progress.step, progress.steps, progress.heldout) == (8, 40, "accuracy 91.25 %")
    assert json.loads(watched.read_text().splitlines()[-1])["damping"] == 0.002


def test_the_time_left_is_that_of_the_steps_left(tmp_path: Path):
    (tmp_path / "log").write_text(json.dumps(LINE) + "\n")
    progress = read_progress(tmp_path / "log")
    assert progress == Progress(step=12, steps=40, heldout="accuracy 91.25 %", left_s=14.0)


def test_a_training_that_goes_on_counts_its_time_from_where_it_does(watched):
    train(0, point(4, 0.8), point(8, 0.85))
    assert log_of(NAME).read_text() == watched.read_text()
    watched.unlink()
    train(10, point(12, 0.9))
    (line,) = map(json.loads, watched.read_text().splitlines())
    assert (line["since_step"], line["step"]) == (10, 12)
    whole = [json.loads(text)["step"] for text in log_of(NAME).read_text().splitlines()]
    assert whole == [4, 8, 12]


def test_a_training_that_goes_on_at_a_point_does_not_know_how_long_a_step_takes(watched):
    train(12, point(12, 0.9))
    progress = read_progress(watched)
    assert (progress.step, progress.left_s) == (12, None)
    train(12, point(12, 0.9), point(16, 0.9))
    assert read_progress(watched).left_s >= 0


def test_control_nobody_watches(watched, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    train(0, point(4, 0.8))
    assert not watched.exists()
    assert read_progress(log_of(NAME)).step == 4


@pytest.mark.parametrize("text", ["", json.dumps(LINE), "}" * 9 + "\n", "x" * TAIL_BYTES + "\n"])
def test_a_log_without_a_whole_line_tells_of_no_progress(tmp_path: Path, text):
    assert read_progress(tmp_path / "missing") is None
    (tmp_path / "log").write_text(text)
    assert read_progress(tmp_path / "log") is None


def test_a_line_that_is_being_written_hides_none_before_it(tmp_path: Path):
    (tmp_path / "log").write_text(json.dumps(LINE) + "\n" + json.dumps(LINE)[:20])
    assert read_progress(tmp_path / "log").step == 12


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("the cause\n" + "x" * TAIL_BYTES + "\n\n")
    assert message(log) == "x" * (TAIL_BYTES - 2)
    log.write_bytes(b"\xff" * TAIL_BYTES + b"\nthe reason\n\n")
    assert message(log).endswith("\nthe reason")
    assert message(tmp_path / "missing") == ""


def test_a_refusal_of_a_few_lines_is_told_whole_and_a_traceback_by_its_end(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("params.yaml: lr: got -1\n\nparams.yaml: seed: got x\nNothing was run.\n")
    whole = "params.yaml: lr: got -1\nparams.yaml: seed: got x\nNothing was run."
    assert message(log) == whole
    log.write_text("Traceback (most recent call last):\n  File x, line 3\nKeyError: 'lr'\n")
    assert message(log) == "KeyError: 'lr'"
    log.write_text("a step\n" * SHORT + "the reason\n")
    assert message(log) == "the reason"


@pytest.mark.parametrize(
    "damaged",
    ["3", "[]", "null", "{}",
     *(json.dumps({**LINE, key: None}) for key in LINE if key != "heldout"),
     *(json.dumps({k: v for k, v in LINE.items() if k != key}) for key in LINE),
     json.dumps({**LINE, "step": "x"})],
)  # fmt: skip
def test_a_line_that_is_damaged_tells_nothing(tmp_path: Path, damaged):
    (tmp_path / "log").write_text(damaged + "\n")
    assert read_progress(tmp_path / "log") is None
