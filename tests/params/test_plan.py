"""A room's plan: runs with every hyper-parameter, which read back as they were written."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml
from tests.params.documents import GOOD, PARAMS, ROOM, changed, dump, load, without

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.run import Budget, from_dict, read_json, read_plan
from optbench.params import plan, signatures
from optbench.params.code import digests
from optbench.params.load import Params, Room, load_params, load_room
from optbench.params.messages import ParamsError

PLAN = Path("workloads/digits-cnn/plan")
CODE = {part: f"{number:064d}" for number, part in enumerate(digests())}


def loaded(room: dict | None = None, params: dict | None = None) -> tuple[Room, Params]:
    """The room and the project's params, of the given documents where there are any."""
    for path, document in ((ROOM, room), (PARAMS, params)):
        if document is not None:
            path.write_text(dump(document))
    project = load_params()
    return load_room("digits-cnn", project), project


def contents() -> dict[str, bytes]:
    return {str(f.relative_to(PLAN)): f.read_bytes() for f in PLAN.rglob("*") if f.is_file()}


def test_every_arm_cost_and_search_has_a_file_and_the_single_run():
    room, params = loaded()
    plan.write_plan(room, params, CODE)
    optimizers = set(room.optimizers)
    assert set(contents()) == {
        "run.json",
        *(f"suite/{arm.key}.json" for arm in room.suite.every_arm),
        *(f"{kind}/{name}.json" for kind in ("cost", "search") for name in optimizers),
    }


def test_the_same_room_gives_the_same_bytes():
    plan.write_plan(*loaded(), CODE)
    first = contents()
    plan.write_plan(*loaded(), CODE)
    assert contents() == first
    room, params = loaded(changed(ROOM, "optimizers/sgd/lr", 0.777))  # the control
    plan.write_plan(room, params, CODE)
    second = contents()
    assert {name for name in first if first[name] != second[name]} == {
        "run.json",
        *(f"suite/sgd-{schedule}.json" for schedule in ("cosine", "one_cycle", "step")),
    }  # fmt: skip


@pytest.mark.parametrize("name", signatures.names("optimizers"))
def test_a_planned_run_holds_every_hyper_parameter(name):
    plan.write_plan(*loaded(changed(ROOM, "suite/arms", [f"{name}-linear"])), CODE)
    run = json.loads((PLAN / f"suite/{name}-linear.json").read_text())
    fields = signatures.arguments("optimizers", name).model_fields
    assert list(run["optimizer_args"]) == list(fields)
    assert set(run["schedule_args"]) == set(signatures.arguments("schedules", "linear")
                                            .model_fields)  # fmt: skip
    task = set(signatures.arguments("tasks", "image_classification").model_fields)
    assert set(run["settings"]["task_args"]) == task
    assert run["settings"]["network_args"] == {"width": 16}
    row = yaml.safe_load(ROOM.read_text())["optimizers"][name]
    assert {key: run["optimizer_args"][key] for key in row} == row


def test_what_a_room_leaves_out_is_in_its_plan():
    document = changed(ROOM, "settings/task_args", {"crop_padding": 2})
    document["settings"]["network_args"] = {}
    document["optimizers"]["adam"] = {"lr": 1}
    document["search"] = None
    plan.write_plan(*loaded(document), CODE)
    run = read_plan(PLAN / "suite/adam-step.json")
    assert run.optimizer_args == {
        "lr": 1.0, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0,
    }  # fmt: skip
    assert run.settings.task_args == {"crop_padding": 2, "flip": False, "label_smoothing": 0.0}
    assert run.settings.network_args == {"width": 16}


def test_the_cells_read_back_in_the_suites_order():
    document = changed(ROOM, "suite/arms", ["ngd-step"])
    document["suite"] |= {"optimizers": ["sgd"], "schedules": ["step", "cosine"], "seeds": [7, 3]}
    document["exceptions"] = {"sgd-step": {"lr": 0.5}}
    room, params = loaded(document)
    plan.write_plan(room, params, CODE)
    cells = plan.cells(room)
    assert [run.cell for run in cells] == [
        "sgd-step-7", "sgd-step-3", "sgd-cosine-7", "sgd-cosine-3", "ngd-step-7", "ngd-step-3",
    ]  # fmt: skip
    assert cells == [
        plan.resolve(room, params, arm, seed=seed, code=CODE)
        for arm in room.suite.every_arm
        for seed in room.suite.seeds
    ]
    lr = GOOD[ROOM]["optimizers"]["sgd"]["lr"]
    assert [run.optimizer_args["lr"] for run in cells[:4]] == [0.5, 0.5, lr, lr]
    assert {run.settings for run in map(_hashable, cells)} == {_hashable(cells[0]).settings}


def test_cells_may_have_threads_of_their_own_and_all_else_has_the_settings():
    document = changed(ROOM, "settings/threads", 3)
    room, params = loaded(document)
    plan.write_plan(room, params, CODE)
    assert {run.settings.threads for run in plan.cells(room)} == {3}  # the control
    document["suite"]["threads"] = 2
    room, params = loaded(document)
    plan.write_plan(room, params, CODE)
    assert {run.settings.threads for run in plan.cells(room)} == {2}
    assert plan.single_run("digits-cnn").settings.threads == 3
    cost = json.loads((PLAN / "cost/sgd.json").read_text())
    assert cost["run"]["settings"]["threads"] == 3


def _hashable(run):
    return replace(run, settings=json.dumps(asdict(run.settings)))


def test_the_single_run_reads_back_with_its_overrides():
    document = changed(PARAMS, "override/lr", 0.5)
    document["override"]["steps"] = 70
    room, params = loaded(params=document | {"seed": 4})
    plan.write_plan(room, params, CODE)
    run = plan.single_run("digits-cnn")
    assert run == plan.single(room, params, CODE)
    assert (run.seed, run.optimizer_args["lr"], run.settings.budget) == (4, 0.5, Budget(steps=70))
    assert plan.cells(room)[0].settings.budget == Budget(epochs=10)  # the suite's are as before


@pytest.mark.parametrize(
    ("optimizer", "devices", "message"),
    [
        ("ngd", 2, "optimizers.ngd: ngd trains on one device alone, since it solves a system"),
        ("sgd", 3, "override.devices: got 3 with batch_size 64: each device must have as many"),
    ],
)
def test_a_single_run_that_several_devices_cannot_share_is_refused(optimizer, devices, message):
    document = changed(PARAMS, "override/devices", 2)
    room, params = loaded(params=document)
    assert plan.single(room, params, CODE).settings.devices == 2
    document["override"]["devices"] = devices
    room, params = loaded(params=document | {"optimizer": optimizer})
    with pytest.raises(ParamsError) as refused:
        plan.single(room, params, CODE)
    assert message in str(refused.value)


def test_runs_go_through_json_and_back():
    room, params = loaded()
    for arm in room.suite.every_arm:
        run = plan.resolve(room, params, arm, seed=3, code=CODE)
        again = from_dict(json.loads(plan.as_json(run.as_dict())))
        assert again == run
        assert again.as_dict() == run.as_dict()
    assert from_dict({**run.as_dict(), "seed": 4}) != run  # the control


def test_code_is_named_by_the_parts_that_a_stage_depends_on():
    plan.write_plan(*loaded(), CODE)
    parts = {"dataset", "network", "optimizer", "schedule", "task"}
    assert read_plan(PLAN / "suite/adam-step.json").code == {
        "training": CODE["training"], "dataset": CODE["datasets/digits"],
        "network": CODE["models/cnn"], "optimizer": CODE["optimizers/adam"],
        "schedule": CODE["schedules/step"], "task": CODE["tasks/image_classification"],
    }  # fmt: skip
    assert set(read_json(PLAN / "search/adam.json")["run"]["code"]) == {"search", *parts}
    pair = read_json(PLAN / "cost/adam.json")
    assert set(pair["run"]["code"]) == {"cost", *parts} - {"schedule"}
    assert pair["reference"]["code"]["optimizer"] == CODE["optimizers/sgd"]


def test_costs_are_those_of_steps_that_change_nothing_whatever_the_rates():
    plan.write_plan(*loaded(), CODE)
    before = (PLAN / "cost/adam.json").read_bytes()
    pair = json.loads(before)
    assert pair["run"]["optimizer_args"]["lr"] == pair["run"]["optimizer_args"]["weight_decay"]
    assert pair["run"]["optimizer_args"]["lr"] == plan.PROBE
    document = changed(ROOM, "optimizers/adam", {"lr": 0.5, "weight_decay": 0.5})
    plan.write_plan(*loaded(document), CODE)
    assert (PLAN / "cost/adam.json").read_bytes() == before
    document["optimizers"]["adam"]["eps"] = 1e-3  # the control
    plan.write_plan(*loaded(document), CODE)
    assert (PLAN / "cost/adam.json").read_bytes() != before


def test_costs_without_the_references_row_and_without_decay(add_part):
    add_part("optimizers", "plain", "def build(model, groups, *, lr: float): ...\n")
    document = without(ROOM, "optimizers/sgd") | {"search": None}
    document["optimizers"]["plain"] = {"lr": 0.1}
    document["suite"] |= {"optimizers": ["plain", "adam"], "schedules": ["cosine"]}
    project = changed(PARAMS, "optimizer", "adam")
    plan.write_plan(*loaded(document, project), {**CODE, "optimizers/plain": "0"})
    pair = read_json(PLAN / "cost/plain.json")
    assert pair["run"]["optimizer_args"] == {"lr": plan.PROBE}
    defaults = {"momentum": 0.9, "nesterov": True, "weight_decay": plan.PROBE}
    assert pair["reference"]["optimizer_args"] == {"lr": plan.PROBE, **defaults}


def test_a_search_holds_out_the_validation_split_under_its_own_budget():
    document = changed(ROOM, "search/budget", {"steps": 50})
    document["search"] |= {"threads": 2, "seed": 5, "trials": 7}
    room, params = loaded(document)
    plan.write_plan(room, params, CODE)
    searched = read_json(PLAN / "search/kfac.json")
    assert (searched["trials"], searched["space"]) == (
        7,
        {"lr": [0.001, 0.316], "damping": [0.001, 1.0]},
    )
    run = from_dict(searched["run"])
    assert (run.settings.train_split, run.settings.budget) == ("holdout", Budget(steps=50))
    assert (run.settings.threads, run.seed, run.arm) == (2, 5, Arm("kfac", "cosine"))
    others = {k: v for k, v in room.optimizers["kfac"].items() if k not in ("lr", "damping")}
    assert run.optimizer_args == others


def test_a_winner_in_its_row_makes_no_search_stale():
    plan.write_plan(*loaded(), CODE)
    before = contents()
    plan.write_plan(*loaded(changed(ROOM, "optimizers/kfac/lr", 0.123)), CODE)
    assert contents()["search/kfac.json"] == before["search/kfac.json"]
    assert contents()["suite/kfac-step.json"] != before["suite/kfac-step.json"]
    plan.write_plan(*loaded(changed(ROOM, "optimizers/kfac/kl_clip", 0.123)), CODE)  # the control
    assert contents()["search/kfac.json"] != before["search/kfac.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "is no run"),
        ("{}", "is no run"),
        ('{"settings": 3}', "is no run"),
        ("null", "is no run"),
    ],
)
def test_a_damaged_plan_is_named_with_the_way_out(content, message):
    room, params = loaded()
    plan.write_plan(room, params, CODE)
    (PLAN / "suite/sgd-cosine.json").write_text(content)
    with pytest.raises(UsageError, match=rf"suite/sgd-cosine\.json {message} .*`dvc repro` makes"):
        plan.cells(room)


def test_a_plan_with_a_key_too_many_or_too_few_is_named():
    room, params = loaded()
    plan.write_plan(room, params, CODE)
    path = PLAN / "run.json"
    good = json.loads(path.read_text())
    without_seed = {key: value for key, value in good.items() if key != "seed"}
    for bad in ({**good, "sede": 1}, without_seed, {**good, "settings": {}}):
        path.write_text(json.dumps(bad))
        with pytest.raises(UsageError, match=r"run\.json is no run"):
            plan.single_run("digits-cnn")
    path.unlink()
    with pytest.raises(UsageError, match=r"run\.json cannot be read"):
        plan.single_run("digits-cnn")
    path.write_text(json.dumps(good))
    assert plan.single_run("digits-cnn") == plan.single(room, params, CODE)  # the control


def test_a_room_that_is_not_the_chosen_one_may_be_without_a_single_run(monkeypatch):
    document = without(ROOM, "optimizers/ngd") | {"search": None}
    document["suite"]["optimizers"].remove("ngd")
    project = changed(PARAMS, "optimizer", "ngd")
    room, params = loaded(document, project)
    with pytest.raises(ParamsError, match=r"optimizers\.ngd is missing"):
        plan.write_plan(room, params, CODE)
    plan.write_plan(room, replace(params, workload="another"), CODE)
    assert not (PLAN / "run.json").exists()


def test_the_projects_file_itself_stays_as_it_is():
    before = {path: path.read_bytes() for path in (PARAMS, ROOM)}
    load(ROOM, changed(ROOM, "target", 0.5))
    plan.write_plan(*loaded(), CODE)
    assert {path: path.read_bytes() for path in (PARAMS, ROOM)} == before
