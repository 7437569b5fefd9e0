import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
from tests.conftest import digits_run

from optbench.core import records
from optbench.core.errors import UsageError
from optbench.core.records import Diagnostic, Outcome, Point

POINT = Point(
    step=10, epoch=1 / 3, train_loss=1 / 3, heldout_loss=0.1, heldout_score=0.5, lr=0.1,
    momentum=None, gradient_norm=2.0,
)  # fmt: skip
OUTCOME = Outcome(
    run=digits_run("adam", "step"),
    packages={"torch": "2"},
    history=[POINT],
    diagnostics=[Diagnostic(step=10, name="damping", value=1 / 3)],
    predictions={"actual": [0, 1], "predicted": [0, 0], "confidence": [0.9, 0.51]},
    test_loss=0.25,
    test_score=0.5,
    validation_loss=0.1 + 0.2,
    validation_score=0.75,
    diverged_at_step=None,
    steps=10,
    steps_per_epoch=30,
    fingerprint={"torch": "2", "threads": 1},
)
DIVERGED = dataclasses.replace(
    OUTCOME,
    history=[],
    diagnostics=[],
    predictions={},
    test_loss=None,
    test_score=None,
    validation_loss=None,
    validation_score=None,
    diverged_at_step=3,
)


@pytest.mark.parametrize("outcome", [OUTCOME, DIVERGED])
def test_an_outcome_reads_back_exactly(tmp_path: Path, outcome):
    records.write(outcome, tmp_path)
    assert records.read(tmp_path) == outcome


def test_control_another_value_or_type_is_another_outcome(tmp_path: Path):
    records.write(OUTCOME, tmp_path)
    others = [
        {"steps": 11}, {"validation_score": None}, {"history": []}, {"packages": {}},
        {"run": dataclasses.replace(OUTCOME.run, seed=1)},
        {"predictions": {**OUTCOME.predictions, "actual": [0, 2]}},
    ]  # fmt: skip
    for changes in others:
        assert records.read(tmp_path) != dataclasses.replace(OUTCOME, **changes)


def test_the_same_outcome_gives_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        records.write(OUTCOME, tmp_path / name)
    names = {file.name for file in (tmp_path / "a").iterdir()}
    assert names == {*records.FILES, records.SUMS}
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_run_stands_beside_its_results(tmp_path: Path):
    records.write(OUTCOME, tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run.pop("packages") == {"torch": "2"}
    assert run == json.loads(json.dumps(OUTCOME.run.as_dict()))


@pytest.mark.parametrize("name", records.FILES)
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, name):
    records.write(OUTCOME, tmp_path)
    (tmp_path / name).write_text("damaged")
    with pytest.raises(UsageError, match=f"no valid result in .*{name} is damaged.*`dvc repro` m"):
        records.read(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=name):
        records.read(tmp_path)


@pytest.mark.parametrize("content", ['{"a": [1], "b": [1, 2]}', "[]", "3", '{"a": 3}'])
def test_columns_of_another_form_are_refused_though_their_sum_is_right(tmp_path: Path, content):
    """As somebody writes them who is not this file."""
    records.write(OUTCOME, tmp_path)
    texts = {name: (tmp_path / name).read_bytes() for name in records.FILES}
    texts["predictions.json"] = content.encode()
    (tmp_path / "predictions.json").write_text(content)
    (tmp_path / records.SUMS).write_text(records._sums(texts))
    with pytest.raises(UsageError, match="no valid result in"):
        records.read(tmp_path)


@pytest.mark.parametrize("name", records.FILES)
def test_every_flipped_bit_is_noticed_and_its_file_named(tmp_path: Path, name):
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
