"""What is read back is what a stage can have written, or is refused by name; no traceback."""

import dataclasses
import random
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.evaluation.examples import ACCURACY, trial

from optbench.claims.load import load_claims
from optbench.core import rows
from optbench.core.errors import UsageError
from optbench.cost.cost import Cost, read_cost
from optbench.cost.measured import measured_cost, wrong_cost
from optbench.studies.table import read_trials
from optbench.studies.trials import Trial

SEED, FLIPS, CUTS = 0, 150, 30
OUT = "`dvc repro` makes it again"
COST = read_cost(ROOT / "costs/digits-cnn/sgd.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step_time_s", -1.0), ("step_time_s", "x"), ("step_time_ratio", 0), ("pairs", 2.5),
        ("step_time_ratio_q1", None), ("ratio_by_kind", {}), ("ratio_by_kind", {"a": -1}),
        ("ratio_by_kind", [1]), ("steps_per_epoch", 0), ("steps_per_epoch", True),
        ("optimizer_state_bytes", -1), ("peak_memory_bytes", 1.5), ("fingerprint", {}),
        ("fingerprint", 3), ("fingerprint", {**COST.fingerprint, "threads": "1"}),
        ("fingerprint", {**COST.fingerprint, "devices": "0"}),
    ],
)  # fmt: skip
def test_costs_that_cannot_be_are_named(field, value):
    assert wrong_cost(COST) == []  # the control
    assert wrong_cost(dataclasses.replace(COST, **{field: value})) == [field]


def damages(content: bytes, rng: random.Random) -> list[bytes]:
    """Flipped bits, cuts, other encodings, an absent column, and no text at all."""
    spoilt = []
    for _ in range(FLIPS):
        place, bit = rng.randrange(len(content)), 1 << rng.randrange(8)
        spoilt.append(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
    spoilt += [content[: rng.randrange(len(content))] for _ in range(CUTS)]
    text = content.decode()
    spoilt += [text.encode("utf-16"), text.encode("cp037"), b"\xff" * 64, b"\0" * 64, b""]
    spoilt += ["\n".join(line.rpartition(",")[0] for line in text.splitlines()).encode()]
    return spoilt


def small(path: Path, lines: int = 10**6) -> bytes:
    return b"".join(path.read_bytes().splitlines(keepends=True)[:lines])


READERS = {
    "results/digits-cnn/repeats/sgd-cosine.csv": (
        rows.to_csv(Trial, [trial(1), trial(2, None, None)]).encode(),
        lambda path: read_trials(path, ACCURACY, way_out=OUT)),
    "costs/digits-cnn/sgd.json": (
        small(ROOT / "costs/digits-cnn/sgd.json"), measured_cost),
    "claims.yaml": (
        b"post: {title: a, date: 2025-01-15}\nbaselines: {}\n"
        b"claims:\n- {id: a, place: b, text: c, kind: formula, "
        b"quantity: radam_rho, beta2: 0.999}\n",
        lambda path: load_claims(path, scores={})),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_damage_is_named_with_a_way_out_and_is_no_traceback(monkeypatch, tmp_path, name):
    content, read = READERS[name]
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read(path)  # the control
    refusals = []
    for damaged in damages(content, random.Random(SEED)):
        path.write_bytes(damaged)
        try:
            read(path)
        except UsageError as error:
            refusals.append(str(error))
    assert len(refusals) > CUTS
    for refusal in refusals:
        assert path.name in refusal
        assert "`dvc repro" in refusal or "`git restore" in refusal


def test_a_cost_of_numbers_in_quotes_is_refused(tmp_path):
    path = tmp_path / "sgd.json"
    path.write_text(dataclasses.replace(COST, step_time_s="0.1").to_json())
    with pytest.raises(UsageError, match=r"sgd\.json has what cannot be, step_time_s '0\.1': `dvc"):
        measured_cost(path)
    assert isinstance(read_cost(path), Cost)  # the control: it has all keys
