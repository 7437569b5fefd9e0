"""`optbench plan`: which of the stages that DVC calls changed will train, and for how long."""

import json
from contextlib import chdir
from pathlib import Path

import pytest
from tests.conftest import ROOT, digits_room

from optbench.cli import plan
from optbench.cost.estimate import estimate_s
from optbench.params.plan import cells, single_run

FILE = "workloads/digits-cnn/dvc.yaml"
CHANGED = [{"changed deps": {"workloads/digits-cnn/plan/suite/sgd-cosine.json": "modified"}}]
DATA = [{"changed deps": {"data/raw/digits": "deleted"}}]


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def pending(changed: dict) -> set[str]:
    return set(plan.pending_runs(digits_room()[0], changed))


def test_cells_of_the_grid_and_by_name_and_the_single_run_train():
    changed = {f"{FILE}:{stage}": CHANGED for stage in (
        "train@sgd-cosine-0", "train-arm@kfac-step-3", "run", "cost@sgd", "evaluate", "report",
    )}  # fmt: skip
    assert pending(changed) == {"sgd-cosine-0", "kfac-step-3", "run"}


def test_other_workloads_stages_do_not_count():
    assert pending({"workloads/other/dvc.yaml:train@sgd-cosine-0": CHANGED}) == set()
    assert (
        pending({"validate": CHANGED, "workloads/digits-cnn/search/dvc.yaml:run": CHANGED}) == set()
    )


@pytest.mark.parametrize(
    ("change", "trains"),
    [
        (CHANGED[0], True),
        ("changed command", True),
        ({"changed outs": {"results/digits-cnn/suite/sgd-cosine-0": "deleted"}}, True),
        ({"changed deps": {"data/raw/digits": "modified"}}, True),
        (DATA[0], False),  # a download brings it back
        ("changed checksum", False),
    ],
)
def test_what_makes_a_stage_run(change, trains):
    assert plan.must_run(change) == trains


def test_the_sentence_sums_what_steps_took():
    room = digits_room()[0]
    runs = {run.cell: run for run in cells(room)[:2]} | {"run": single_run("digits-cnn")}
    total = len(cells(room))
    sentence = plan.outlook(room, runs)
    assert sentence.startswith(f"digits-cnn: the single run and 2 of {total} cells will train: ab")
    seconds = sum(estimate_s(run) for run in runs.values())
    assert plan.duration(seconds) in sentence
    peaks = [
        json.loads((ROOT / f"costs/digits-cnn/{run.optimizer}.json").read_text())
        for run in runs.values()
    ]
    megabytes = max(cost["peak_memory_bytes"] for cost in peaks) / 1e6
    assert f"up to {megabytes:.0f} MB of tensors" in sentence
    assert plan.outlook(room, {}) == "digits-cnn: nothing will train"


def test_where_no_step_was_measured_it_says_so(tmp_path):
    room = digits_room()[0]
    runs = {run.cell: run for run in cells(room)[:1]}
    with chdir(tmp_path):  # no costs there
        sentence = plan.outlook(room, runs)
    assert "no single run and 1 of " in sentence
    cost = "dvc repro workloads/digits-cnn/dvc.yaml:cost"
    assert sentence.endswith(f"how long is not known before `{cost}` has measured a step")


def test_where_a_cost_cannot_be_it_is_named_and_nothing_is_held_up(tmp_path):
    room = digits_room()[0]
    runs = {run.cell: run for run in cells(room)[:1]}
    path = Path("costs/digits-cnn/sgd.json")
    cost = json.loads((ROOT / path).read_text())
    with chdir(tmp_path):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(cost | {"step_time_s": -1.0}))
        sentence = plan.outlook(room, runs)
        assert "1 of " in sentence
        assert "how long is not known: costs/digits-cnn/sgd.json has what cannot be" in sentence
        path.write_text("{")
        assert "sgd.json is no cost of a step" in plan.outlook(room, runs)
        path.write_text(json.dumps(cost))  # the control
        assert ": about " in plan.outlook(room, runs)
