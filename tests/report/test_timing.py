import json
from pathlib import Path

from optbench.core.records import Epoch
from optbench.report.timing import training_s

HISTORY = [
    Epoch(epoch=n, step=10 * n, train_loss=1.0, heldout_loss=1 / n, heldout_accuracy=0.5, lr=0.1,
          momentum=None, gradient_norm=1.0)
    for n in (1, 2, 3)
]  # fmt: skip


def log(path: Path, *lines: tuple[int, float, float]) -> Path:
    names = ("epoch", "heldout_loss", "time_s")
    path.write_text(
        "".join(json.dumps(dict(zip(names, line, strict=True))) + "\n" for line in lines)
    )
    return path


def test_the_time_is_the_sum_over_epochs(tmp_path):
    file = log(tmp_path / "log", (1, 1.0, 2.0), (2, 0.5, 3.0), (3, 1 / 3, 4.0))
    assert training_s(file, HISTORY) == 9.0


def test_an_epoch_that_was_trained_twice_counts_once(tmp_path):
    file = log(tmp_path / "log", (1, 1.0, 2.0), (2, 0.5, 3.0), (2, 0.5, 5.0), (3, 1 / 3, 4.0))
    assert training_s(file, HISTORY) == 11.0


def test_the_log_of_other_results_says_nothing(tmp_path):
    assert training_s(tmp_path / "none", HISTORY) is None
    file = log(tmp_path / "log", (1, 1.0, 2.0), (2, 0.4, 3.0), (3, 1 / 3, 4.0))
    assert training_s(file, HISTORY) is None
    assert training_s(log(tmp_path / "log", (1, 1.0, 2.0)), HISTORY) is None
