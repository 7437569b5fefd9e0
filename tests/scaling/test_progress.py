from pathlib import Path

import pytest

from optbench.scaling.progress import TAIL_BYTES, last_line, read_progress

# As a trainer prints them; the second optimizer tells how its curvature fares.
PLAIN = (
    "digits-cnn/suite/sgd-cosine-0: epoch 3/10  train loss 0.2310  held-out accuracy 85.00%  18.2 s"
)
SECOND_ORDER = (
    "digits-cnn/suite/kfac-cosine-0: epoch 4/10  train loss 0.2310  held-out accuracy 91.25%"
    "  damping 0.002  clipped 0.5  2.0 s"
)


def test_the_last_epoch_counts_whatever_else_is_printed(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("\n".join([PLAIN, SECOND_ORDER, "a warning", ""]))
    progress = read_progress(log)
    assert (progress.epoch, progress.epochs, progress.accuracy) == (4, 10, 0.9125)
    assert progress.left_s == pytest.approx(12.0)


def test_a_log_of_no_training_tells_of_no_progress(tmp_path: Path):
    assert read_progress(tmp_path / "missing") is None
    (tmp_path / "log").write_bytes(b"\xff" * 3 + b"validated\n")
    assert read_progress(tmp_path / "log") is None


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text(PLAIN + "\n" + "x" * TAIL_BYTES + "\nthe reason\n\n")
    assert read_progress(log) is None
    assert last_line(log) == "the reason"
