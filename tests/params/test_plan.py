"""A room's plan: runs with every hyper-parameter, which read back as they were written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.params.documents import (
    GOOD,
    PARAMS,
    ROOM,
    changed,
    dump,
    lacking,
    load,
    unsearched,
    with_suite,
    without,
)

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.run import Budget, from_dict, read_json
from optbench.core.study import from_plan, planned, read_study
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


def changes(before: dict[str, bytes]) -> set[str]:
    """The files of the plan that are others than before."""
    return {name for name, content in contents().items() if content != before.get(name)}


def test_every_arm_and_cost_has_a_file_and_the_control_and_the_single_run():
    room, params = loaded()
    plan.write_plan(room, params, CODE)
    assert set(contents()) == {
        "run.json",
        "control.json",
        *(f"suite/{arm.key}.json" for arm in room.suite.every_arm),
        *(f"cost/{name}.json" for name in room.optimizers),
        *(f"sweeps/{name}.json" for name in room.sweeps),
    }


def test_the_same_room_gives_the_same_bytes():
    plan.write_plan(*loaded(GOOD[ROOM]), CODE)
    first = contents()
    plan.write_plan(*loaded(GOOD[ROOM]), CODE)
    assert contents() == first
    room, params = loaded(changed(ROOM, "optimizers/sgd/momentum", 0.8))  # the control
    plan.write_plan(room, params, CODE)
    assert changes(first) == {
        "run.json", "control.json", "cost/sgd.json",
        *(f"cost/{name}.json" for name in room.optimizers),  # beside SGD's steps
        *(f"suite/{arm.key}.json" for arm in room.suite.every_arm
          if arm.optimizer == "sgd" and arm.tuning == "tuned"),
    }  # fmt: skip


@pytest.mark.parametrize("name", signatures.names("optimizers"))
def test_a_planned_run_holds_every_hyper_parameter_but_for_what_is_searched(name):
    document = with_suite(GOOD[ROOM], f"{name}-linear", f"{name}-linear-published")
    plan.write_plan(*loaded(document), CODE)
    run = json.loads((PLAN / f"suite/{name}-linear-published.json").read_text())["run"]
    fields = signatures.arguments("optimizers", name).model_fields
    assert list(run["optimizer_args"]) == list(fields)
    tuned = json.loads((PLAN / f"suite/{name}-linear.json").read_text())
    assert {*tuned["run"]["optimizer_args"]} == {*fields} - {*tuned["space"]}
    assert set(run["schedule_args"]) == set(signatures.arguments("schedules", "linear")
                                            .model_fields)  # fmt: skip
    task = set(signatures.arguments("tasks", "image_classification").model_fields)
    assert set(run["settings"]["task_args"]) == task
    assert run["settings"]["network_args"] == {"width": 16}
    row = yaml.safe_load(ROOM.read_text())["optimizers"][name]
    assert {key: run["optimizer_args"][key] for key in row} == row


def test_what_a_room_leaves_out_is_in_its_plan():
    document = unsearched(changed(ROOM, "settings/task_args", {"crop_padding": 2}))
    document["settings"]["network_args"] = {}
    document["optimizers"]["adam"] = {"lr": 1}
    plan.write_plan(*loaded(document), CODE)
    run = read_study(PLAN / "suite/adam-step-published.json").run
    assert run.optimizer_args == {
        "lr": 1.0, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0,
    }  # fmt: skip
    defaults = signatures.arguments("tasks", "image_classification")().model_dump()
    assert run.settings.task_args == {**defaults, "crop_padding": 2}
    assert run.settings.network_args == {"width": 16}


def test_studies_read_back_in_the_suites_order_whatever_their_numbers():
    keys = ("ngd-step", "sgd-step", "adam-step-untuned", "sgd-cosine-published")
    document = with_suite(GOOD[ROOM], *keys, studies=[7, 3])
    room, params = loaded(document)
    plan.write_plan(room, params, CODE)
    studies = plan.studies(room)
    assert [study.arm.key for study in studies] == [*keys]
    assert studies == [plan.plan_study(room, params, arm, CODE) for arm in room.suite.every_arm]
    before = contents()
    plan.write_plan(*loaded(with_suite(document, *keys, studies=[5])), CODE)
    assert contents() == before
    document["search"]["trials"] += 1  # the control
    plan.write_plan(*loaded(document), CODE)
    assert changes(before) == {"control.json", "suite/ngd-step.json", "suite/sgd-step.json"}


@pytest.mark.parametrize(
    ("tuning", "split", "trials"),
    [("", "holdout", 8), ("-untuned", "holdout", 1), ("-published", "full", 1)],
)
def test_a_point_as_published_alone_is_trained_on_all_data(tuning, split, trials):
    room, params = loaded(with_suite(GOOD[ROOM], f"adamw-cosine{tuning}"))
    plan.write_plan(room, params, CODE)
    (study,) = plan.studies(room)
    assert (study.run.settings.train_split, study.trials) == (split, trials)
    assert room.settings.train_split == "holdout"
    assert bool(study.space) == (trials > 1)


def test_where_nothing_is_held_out_an_untuned_arm_holds_out_all_the_same():
    """Its score stands beside those of arms that are tuned."""
    document = unsearched(changed(ROOM, "settings/train_split", "full"))
    document = with_suite(document, "adamw-cosine-untuned", "adamw-cosine-published")
    room, params = loaded(document)
    plan.write_plan(room, params, CODE)
    splits = [study.run.settings.train_split for study in plan.studies(room)]
    assert splits == ["holdout", "full"]


def test_values_are_the_spaces_the_authors_or_the_rows():
    keys = ("kfac-step", "adamw-step-untuned", "adamw-step-published")
    room, params = loaded(with_suite(GOOD[ROOM], *keys))
    plan.write_plan(room, params, CODE)
    kfac, untuned, published = plan.studies(room)
    assert kfac.space == {"lr": (0.00562, 1.78), "damping": (0.000949, 0.949)}
    row = room.optimizers["kfac"]
    assert kfac.run.optimizer_args == {k: v for k, v in row.items() if k not in kfac.space}
    assert untuned.run.optimizer_args == signatures.untuned("adamw")
    assert published.run.optimizer_args == room.optimizers["adamw"]
    assert untuned.run.optimizer_args != published.run.optimizer_args


def test_the_best_of_the_trials_changes_the_single_run_alone():
    plan.write_plan(*loaded(changed(ROOM, "best", {})), CODE)
    before = contents()
    best = {"sgd-one_cycle": {"lr": 0.123, "weight_decay": 0.0}, "adam-step": {"lr": 0.05}}
    plan.write_plan(*loaded(changed(ROOM, "best", best)), CODE)
    assert changes(before) == {"run.json"}
    assert plan.single_run("digits-cnn").optimizer_args["lr"] == 0.123
    del best["sgd-one_cycle"]  # the controls: another arm's, and what is not searched
    plan.write_plan(*loaded(changed(ROOM, "best", best)), CODE)
    assert contents() == before
    plan.write_plan(*loaded(changed(ROOM, "optimizers/kfac/kl_clip", 0.123)), CODE)
    assert "suite/kfac-step.json" in changes(before)


def test_a_searched_value_of_a_row_makes_no_study_stale():
    plan.write_plan(*loaded(changed(ROOM, "best", {})), CODE)
    before = contents()
    plan.write_plan(*loaded(changed(ROOM, "optimizers/kfac/lr", 0.123)), CODE)
    assert contents() == before
    document = with_suite(changed(ROOM, "optimizers/kfac/lr", 0.123), "kfac-step-published")
    plan.write_plan(*loaded(document), CODE)  # the control
    assert plan.studies(loaded(document)[0])[0].run.optimizer_args["lr"] == 0.123


def test_studies_may_have_threads_of_their_own_and_all_else_has_the_settings():
    document = changed(ROOM, "settings/threads", 3)
    room, params = loaded(document)
    plan.write_plan(room, params, CODE)
    assert {study.run.settings.threads for study in plan.studies(room)} == {3}  # the control
    document["suite"]["threads"] = 2
    room, params = loaded(document)
    plan.write_plan(room, params, CODE)
    assert {study.run.settings.threads for study in plan.studies(room)} == {2}
    assert read_json(PLAN / "control.json")["study"]["run"]["settings"]["threads"] == 2
    assert plan.single_run("digits-cnn").settings.threads == 3
    cost = json.loads((PLAN / "cost/sgd.json").read_text())
    assert cost["run"]["settings"]["threads"] == 3


def test_the_control_is_of_an_arms_own_study_whether_it_is_in_the_suite_or_not():
    control = {"arm": "adamw-wsd", "studies": 20, "repeated": 5}
    room, params = loaded(changed(ROOM, "control", control))
    plan.write_plan(room, params, CODE)
    written = read_json(PLAN / "control.json")
    assert {name: written[name] for name in control} == control
    arm = Arm("adamw", "wsd")
    assert arm not in room.suite.every_arm
    assert from_plan(written["study"]) == plan.plan_study(room, params, arm, CODE)
    (PLAN / "control.json").unlink()
    plan.write_plan(*loaded(without(ROOM, "control")), CODE)
    assert not (PLAN / "control.json").exists()


def test_the_single_run_reads_back_with_its_overrides():
    document = changed(PARAMS, "override/lr", 0.5)
    document["override"]["steps"] = 70
    room, params = loaded(params=document | {"seed": 4})
    plan.write_plan(room, params, CODE)
    run = plan.single_run("digits-cnn")
    assert run == plan.single(room, params, CODE)
    assert (run.seed, run.optimizer_args["lr"], run.settings.budget) == (4, 0.5, Budget(steps=70))
    assert {study.run.settings.budget for study in plan.studies(room)} == {Budget(epochs=10)}


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
    assert read_study(PLAN / "suite/adam-step.json").run.code == {
        "study": CODE["study"], "dataset": CODE["datasets/digits"],
        "network": CODE["models/cnn"], "optimizer": CODE["optimizers/adam"],
        "schedule": CODE["schedules/step"], "task": CODE["tasks/image_classification"],
    }  # fmt: skip
    assert set(plan.single_run("digits-cnn").code) == {"training", *parts}
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
    document = unsearched(lacking(GOOD[ROOM], "sgd"))
    document["optimizers"]["plain"] = {"lr": 0.1}
    project = changed(PARAMS, "optimizer", "adam")
    plan.write_plan(*loaded(document, project), {**CODE, "optimizers/plain": "0"})
    pair = read_json(PLAN / "cost/plain.json")
    assert pair["run"]["optimizer_args"] == {"lr": plan.PROBE}
    defaults = {"momentum": 0.9, "nesterov": True, "weight_decay": plan.PROBE}
    assert pair["reference"]["optimizer_args"] == {"lr": plan.PROBE, **defaults}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "is no study"),
        ("{}", "is no study"),
        ('{"arm": "sgd", "run": 3}', "is no study"),
        ("null", "is no study"),
    ],
)
def test_a_damaged_plan_is_named_with_the_way_out(content, message):
    room, params = loaded()
    plan.write_plan(room, params, CODE)
    (PLAN / "suite/sgd-cosine.json").write_text(content)
    with pytest.raises(UsageError, match=rf"suite/sgd-cosine\.json {message} .*`dvc repro` makes"):
        plan.studies(room)
    with pytest.raises(UsageError, match=rf"suite/sgd-cosine\.json {message}"):
        planned("digits-cnn", "sgd-cosine")
    assert planned("digits-cnn", "adam-cosine").arm == Arm("adam", "cosine")  # the control


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
    document = lacking(GOOD[ROOM], "ngd")
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
