"""The file of a cost, and what is reckoned from it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import digits_run

from optbench.core.errors import UsageError
from optbench.core.run import SCORING_SHARE, Budget
from optbench.cost.cost import Cost, cost_path, read_cost
from optbench.cost.estimate import estimate_s
from optbench.cost.measured import PLACE

COST = Cost(
    step_time_s=0.02,
    sgd_step_time_s=0.01,
    step_time_ratio=2.0,
    step_time_ratio_q1=1.9,
    step_time_ratio_q3=2.1,
    pairs=30,
    ratio_by_kind={"plain": 1.5, "inversion": 8.0},
    steps_per_epoch=22,
    optimizer_state_bytes=100,
    peak_memory_bytes=1000,
    fingerprint={**dict.fromkeys(PLACE, ""), "device": "cpu", "threads": 1},
)


def test_a_cost_comes_back_from_its_file(tmp_path: Path):
    path = tmp_path / "adam.json"
    path.write_text(COST.to_json())
    assert read_cost(path) == COST
    assert json.loads(path.read_text())["ratio_by_kind"]["inversion"] == 8.0


@pytest.mark.parametrize("text", [None, "", "[1]", "3", '{"step_time_s": 1}', '{"other": 1}'])
def test_what_is_no_cost_is_told(tmp_path: Path, text):
    path = tmp_path / "adam.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"adam.json is no cost of a step .*measures it again"):
        read_cost(path)


def test_a_run_takes_its_steps_and_its_scoring(tmp_path: Path, monkeypatch):
    """4 epochs of 22 steps at 0.02 s are 1.76 s, and 95 % of the run."""
    monkeypatch.chdir(tmp_path)
    run = digits_run("adam", budget=Budget(epochs=4))
    assert estimate_s(run) is None
    path = cost_path("digits-cnn", "adam")
    path.parent.mkdir(parents=True)
    path.write_text(COST.to_json())
    assert COST.training_s(run.settings.budget) == pytest.approx(1.76)
    assert estimate_s(run) == pytest.approx(1.76 / (1 - SCORING_SHARE))
    in_steps = replace(run, settings=replace(run.settings, budget=Budget(steps=100)))
    assert estimate_s(in_steps) == pytest.approx(2.0 / (1 - SCORING_SHARE))
    assert estimate_s(replace(run, optimizer="sgd")) is None


def test_threads_share_the_work_of_a_step_that_was_measured_with_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = digits_run("adam", budget=Budget(epochs=4))
    path = cost_path("digits-cnn", "adam")
    path.parent.mkdir(parents=True)
    for device, factor in (("cpu: x86_64", 2.0), ("cuda: card", 1.0)):
        place = {**COST.fingerprint, "threads": 2 * run.settings.threads, "device": device}
        path.write_text(replace(COST, fingerprint=place).to_json())
        assert estimate_s(run) == pytest.approx(factor * 1.76 / (1 - SCORING_SHARE))


@pytest.mark.parametrize(
    ("measured", "devices", "factor"),
    [("1", 1, 1.0), ("8", 8, 1.0), ("1", 2, 0.5), ("8", 2, 4.0)],
)
@pytest.mark.parametrize("device", ["cpu: x86_64", "cuda: card"])
def test_a_step_takes_as_long_as_one_device_s_part_of_it(
    tmp_path, monkeypatch, measured, devices, factor, device
):
    """What was measured is a part already: nothing is divided twice."""
    monkeypatch.chdir(tmp_path)
    run = digits_run("adam", budget=Budget(epochs=4), devices=devices)
    path = cost_path("digits-cnn", "adam")
    path.parent.mkdir(parents=True)
    place = {**COST.fingerprint, "device": device, "devices": measured}
    path.write_text(replace(COST, fingerprint=place).to_json())
    assert estimate_s(run) == pytest.approx(factor * 1.76 / (1 - SCORING_SHARE))
