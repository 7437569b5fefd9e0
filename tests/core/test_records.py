import dataclasses
import subprocess
from pathlib import Path

import pytest

from optbench.core import records
from optbench.core.records import Diagnostic, Epoch, Outcome, Predictions

EPOCH = Epoch(
    epoch=1, step=10, train_loss=1 / 3, heldout_loss=0.1, heldout_accuracy=0.5, lr=0.1,
    momentum=None, gradient_norm=2.0,
)  # fmt: skip
OUTCOME = Outcome(
    history=[EPOCH],
    diagnostics=[Diagnostic(epoch=1, name="damping", value=1 / 3)],
    predictions=Predictions(actual=[0, 1], predicted=[0, 0], confidence=[0.9, 0.51]),
    test_loss=0.25,
    test_accuracy=0.5,
    diverged_at_step=None,
    steps=10,
    fingerprint={"torch": "2", "threads": 1},
)
DIVERGED = dataclasses.replace(
    OUTCOME,
    history=[],
    diagnostics=[],
    predictions=Predictions(actual=[], predicted=[], confidence=[]),
    test_loss=None,
    test_accuracy=None,
    diverged_at_step=3,
)


@pytest.mark.parametrize("outcome", [OUTCOME, DIVERGED])
def test_an_outcome_reads_back_exactly(tmp_path: Path, outcome):
    records.write(outcome, tmp_path)
    assert records.read(tmp_path) == outcome


def test_the_same_outcome_gives_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        records.write(OUTCOME, tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize(
    "name", ["history.csv", "diagnostics.csv", "predictions.json", "metrics.json"]
)
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, name):
    records.write(OUTCOME, tmp_path)
    (tmp_path / name).write_text("damaged")
    with pytest.raises(ValueError, match="no valid result in"):
        records.read(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=name):
        records.read(tmp_path)


@pytest.mark.parametrize("name", records.FILES)
def test_one_flipped_bit_is_found_and_named(tmp_path: Path, name):
    records.write(OUTCOME, tmp_path)
    digest = records.digest(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    for index in range(len(content)):
        content[index] ^= 1
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} is damaged"):
            records.read(tmp_path)
        content[index] ^= 1
    (tmp_path / name).write_bytes(content)
    assert records.read(tmp_path) == OUTCOME
    assert records.digest(tmp_path) == digest


def test_sha256sum_agrees(tmp_path: Path):
    records.write(OUTCOME, tmp_path)
    check = ["sha256sum", "--check", "--strict", records.SUMS]
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 0
