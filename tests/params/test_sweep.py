"""Sweeps of a room: what cannot be trained is refused, and plans hold every value's run."""

import json
from pathlib import Path

import pytest
from tests.params.documents import GOOD, NAME, ROOM, changed, load, refusal

from optbench.core.sweep import planned_sweep
from optbench.params import plan
from optbench.params.code import digests
from optbench.params.load import load_params

CODE = dict.fromkeys(digests(), "0" * 64)
BETAS = "sweeps/betas"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (f"{BETAS}/arms", ["adam-cosin"], "sweeps.betas.arms: unknown schedule 'cosin'"),
        (f"{BETAS}/arms", ["adam"], "sweeps.betas.arms.0: got 'adam': 'adam' names no arm"),
        (f"{BETAS}/arms", ["adam-cosine-untuned"], "are the room's: write adam-cosine"),
        (f"{BETAS}/arms", ["adam-cosine"] * 2, "stands twice"),
        (f"{BETAS}/argument", "beta", "unknown argument 'beta': did you mean 'betas'?"),
        (f"{BETAS}/values", [[0.9, 0.999]], "sweeps.betas.values"),
        (f"{BETAS}/values", [[0.9, 0.999], 0.9], "sweeps.betas.values.betas: got 0.9"),
        (f"{BETAS}/values", [[0.9, 0.999], [0.9, 1.5]], "must"),
        (f"{BETAS}/lr_factors", [0.0, 1.0], "sweeps.betas.lr_factors"),
        (f"{BETAS}/studies", 1, "sweeps.betas.studies: got 1"),
        (f"{BETAS}/valuse", [1], "sweeps.betas.valuse: unknown key 'valuse'"),
        ("sweeps/batch_size/values", [16, 5000], "must be at most 1442"),
        ("sweeps/batch_size/values", [16, 0.5], "got 0.5: must be whole numbers, at least 2"),
        ("sweeps/high_lr/values", [1.0, float("nan")], "got nan: must be numbers above 0"),
        ("sweeps/high_lr/values", [1.0, float("inf")], "got inf: must be numbers above 0"),
        ("sweeps/high_lr/values", [1.0, True], "got True: must be numbers above 0"),
        (
            "sweeps/few_data/values",
            ["digits", "digit"],
            "unknown dataset 'digit': did you mean 'digits'?",
        ),
        ("sweeps/few_data/settings/batch_size", 73, "sweeps.few_data.values: got 73: must be at"),
        ("sweeps/few_data/settings/batch_size", 5000, "few_data.settings.batch_size: got 5000"),
        ("sweeps/few_data/settings/budget", {"steps": 9, "epochs": 1}, "must name epochs or steps"),
    ],
)
def test_a_sweep_that_cannot_be_trained_is_refused(place, value, message):
    assert message in refusal(ROOM, changed(ROOM, place, value))


def test_every_value_is_about_the_single_run_of_its_arm():
    document = changed(ROOM, "best", {"adam-cosine": {"lr": 0.0123}})
    room, params = load(ROOM, document), load_params()
    plan.write_plan(room, params, CODE)
    betas, data = planned_sweep(NAME, "betas"), planned_sweep(NAME, "few_data")
    assert [case.run.optimizer_args["betas"] for case in betas.cases[:5]] == [
        tuple(value) for value in GOOD[ROOM]["sweeps"]["betas"]["values"]
    ]
    assert {case.run.optimizer_args["lr"] for case in betas.cases[:5]} == {0.0123}
    assert [case.run.settings.dataset for case in data.cases[:2]] == ["digits_5", "digits_10"]
    assert {case.run.settings.batch_size for case in data.cases} == {32}
    assert {case.run.settings.batch_size for case in betas.cases} == {64}
    assert json.loads(Path(f"workloads/{NAME}/plan/sweeps/lr.json").read_text())["studies"] == 10
