"""The project's params.yaml: bad input gets a message that names key, value, what is allowed and
the way out.
"""

import math

import pytest
from tests.params.documents import (
    GOOD,
    PARAMS,
    ROOM,
    changed,
    dump,
    lacking,
    load,
    refusal,
    unsearched,
    without,
)

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.run import Budget
from optbench.params import plan, signatures
from optbench.params.code import digests
from optbench.params.load import load_params, load_room, rooms
from optbench.params.messages import ParamsError

CODE = dict.fromkeys(digests(), "0" * 64)


def test_the_projects_own_params_are_valid():
    params = load_params()
    assert rooms() == (params.workload,) == ("digits-cnn",)
    assert set(params.schedules) == set(signatures.names("schedules"))
    assert params.override.given == {}


def test_a_schedules_arguments_are_typed_and_defaults_are_filled_in():
    params = load(PARAMS, changed(PARAMS, "schedules/step", {"milestones": [0.25, 0.5]}))
    assert params.schedules["step"] == {
        "milestones": (0.25, 0.5), "gamma": 0.1, "warmup_fraction": 0.0, "stepping": "iteration",
    }  # fmt: skip
    assert all(type(value) is not int for value in params.schedules["one_cycle"].values())


BAD_VALUES = [
    ("optimizer", "radma", "unknown optimizer 'radma': did you mean 'radam'? known: adam"),
    ("schedule", "cosin", "unknown schedule 'cosin': did you mean 'cosine'?"),
    ("workload", "digits", "unknown workload 'digits': did you mean 'digits-cnn'?"),
    ("seed", True, "seed: got True: must be a valid integer"),
    ("seed", -1, "seed: got -1: a seed must be from 0 to 2147483647"),
    ("seed", 2**40, "a seed must be from 0 to 2147483647"),
    ("override/lr", -0.1, "override.lr: got -0.1: must be greater than 0"),
    ("override/lr", math.nan, "override.lr: got nan: must be a finite number"),
    ("override/lr", math.inf, "override.lr: got inf: must be a finite number"),
    ("override/lr", "0.001", "to YAML '0.001' is text, write 0.001"),
    ("override/lr", [0.1], "override.lr: got [0.1]: must be a valid number"),
    ("override/weight_decay", -1.0, "override.weight_decay: got -1.0: must be greater than or"),
    ("override/epochs", 0, "override.epochs: got 0: must be greater than 0"),
    ("override/steps", 0, "override.steps: got 0: must be greater than 0"),
    ("override/batch_size", 1, "override.batch_size: got 1: must be greater than 1"),
    ("override/train_split", "half", "override.train_split: got 'half': must be 'full' or"),
    ("override/devices", 0, "override.devices: got 0: must be greater than 0"),
    ("override/precision", "fp16", "override.precision: got 'fp16': must be 'fp32' or 'bf16'"),
    ("override/device", "gpu", "override.device: got 'gpu': must be auto, cpu, mps, cuda"),
    (
        "override/device",
        "cuda:100",
        "override.device: got 'cuda:100': must be auto, cpu, mps, cuda",
    ),
    ("override/momentum", 0.9, "override.momentum: unknown key 'momentum': known: batch_size, "),
    ("override", 3, "override: got 3: must be"),
    ("schedules/step/milestones", [0.7, 0.5], "the values must increase"),
    ("schedules/step/milestones", [], "schedules.step.milestones: got []"),
    ("schedules/step/milestones", [0.0], "schedules.step.milestones.0: got 0.0: must be greater"),
    ("schedules/step", {"gama": 0.1}, "unknown key 'gama': did you mean 'gamma'?"),
    ("schedules/step", 0.1, "schedules.step: got 0.1: must map names to values"),
    ("schedules/cosine/stepping", "batch", "must be 'iteration' or 'epoch'"),
    ("schedules/cosine/warmup_fraction", 1.0, "warmup_fraction: got 1.0: must be less than 1"),
    ("schedules/cosine/final_factor", 1.5, "final_factor: got 1.5: must be less than or equal"),
    ("schedules/one_cycle/div_factor", 0.5, "div_factor: got 0.5: must be greater than or equal"),
    (
        "schedules/triangle",
        {},
        "schedules.triangle: unknown schedule 'triangle': known: constant",
    ),
]


@pytest.mark.parametrize(("place", "value", "message"), BAD_VALUES)
def test_a_bad_value_is_named(place, value, message):
    text = refusal(PARAMS, changed(PARAMS, place, value))
    assert message in text
    assert place.replace("/", ".") in text


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("override/device", "cuda:99"), ("override/weight_decay", 0), ("override/epochs", 1),
        ("schedules/cosine/warmup_fraction", 0.5), ("seed", 2**31 - 1), ("seed", 0),
        ("schedules/step/milestones", [0.1, 0.2, 0.9]),
    ],
)  # fmt: skip
def test_control_what_is_just_inside_is_taken(place, value):
    load(PARAMS, changed(PARAMS, place, value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a mapping of keys, got NoneType"),
        ("- a\n", "must be a mapping of keys, got list"),
        ("a: [", "is not YAML"),
        ("seed: !!python/object:os.system {}", "is not YAML"),
        ("workload: digits-cnn\n", "optimizer is missing"),
        ("2025-01-15: a\n", "line 1: got 2025-01-15 as a key: a key must be text"),
        ("override:\n  1: a\n", "line 2: got 1 as a key: a key must be text, so quote it"),
    ],
)
def test_a_bad_file_is_named(text, message):
    assert message in refusal(PARAMS, text)


def test_a_missing_file_is_named(house):
    with pytest.raises(ParamsError, match=r"nothing\.yaml: cannot be read.*\n.*git restore"):
        load_params(house / "nothing.yaml")


def test_an_unknown_key_and_a_missing_one_are_both_named():
    document = without(PARAMS, "schedules")
    document["schedule_"] = {}
    message = refusal(PARAMS, document)
    assert "schedules is missing" in message
    assert "unknown key 'schedule_': did you mean 'schedule'?" in message


def test_an_override_that_cannot_be_set_is_named():
    message = refusal(PARAMS, without(PARAMS, "override/lr"))
    assert "override.lr is missing: add it without a value" in message


def test_a_schedule_without_arguments_is_named():
    assert "schedule: unknown schedule 'one_cycle'" in refusal(
        PARAMS, without(PARAMS, "schedules/one_cycle")
    )


def test_two_budgets_are_one_too_many():
    document = changed(PARAMS, "override/epochs", 3)
    document["override"]["steps"] = 50
    message = refusal(PARAMS, document)
    assert "override: names both epochs and steps: name one of the two" in message


def test_an_unknown_room_is_named():
    with pytest.raises(UsageError, match="unknown workload 'digits': did you mean 'digits-cnn'"):
        load_room("digits", load_params())


# The single run, in the room that the file names


def single(document: dict):
    params = load(PARAMS, document)
    return plan.single(load_room("digits-cnn", params), params, CODE)


def test_the_single_run_is_the_rooms_with_what_is_overridden():
    document = changed(PARAMS, "seed", 3)
    plain = single(document)
    document["override"] |= {"lr": 0.5, "steps": 70, "train_split": "full"}
    run = single(document)
    assert (run.arm, run.seed) == (Arm("sgd", "one_cycle"), 3)
    assert run.optimizer_args == {**plain.optimizer_args, "lr": 0.5}
    assert run.settings.budget == Budget(steps=70)
    assert (plain.settings.train_split, run.settings.train_split) == ("holdout", "full")
    assert run.settings.batch_size == plain.settings.batch_size
    assert (plain.settings, plain.schedule_args, plain.code) == (
        load_room("digits-cnn", load_params()).settings, run.schedule_args, run.code,
    )  # fmt: skip


def refused(document: dict) -> str:
    with pytest.raises(ParamsError) as raised:
        single(document)
    assert "take it back with `git restore params.yaml`" in str(raised.value)
    return str(raised.value)


def test_a_batch_that_is_larger_than_the_data_is_named():
    message = refused(changed(PARAMS, "override/batch_size", 1443))
    assert "override.batch_size: got 1443: must be at most 1442, the size of digits's" in message
    assert single(changed(PARAMS, "override/batch_size", 1442)).settings.batch_size == 1442


def test_a_budget_that_warm_up_eats_up_is_named():
    document = changed(PARAMS, "schedules/one_cycle/warmup_fraction", 0.9)
    assert single(document).schedule_args["warmup_fraction"] == 0.9
    document["override"]["steps"] = 3
    assert "leaves none of the single run's 3 steps to the schedule" in refused(document)


def test_an_override_that_the_optimizer_does_not_take_is_named(add_part, house):
    add_part("optimizers", "plain", "def build(model, param_groups, *, lr: float): ...\n")
    room = unsearched(changed(ROOM, "optimizers/plain", {"lr": 0.1}))
    (house / ROOM).write_text(dump(room))
    document = changed(PARAMS, "optimizer", "plain")
    document["schedule"] = "cosine"
    assert single(document).optimizer_args == {"lr": 0.1}
    document["override"]["weight_decay"] = 0.1
    message = refused(document)
    assert "override.weight_decay: plain takes no weight_decay: leave it without a value" in message


def test_an_optimizer_without_a_row_in_the_room_is_named(house):
    (house / ROOM).write_text(dump(lacking(GOOD[ROOM], "ngd")))
    message = refused(changed(PARAMS, "optimizer", "ngd"))
    assert "optimizers.ngd is missing: add its hyper-parameters" in message
    assert "(in workloads/digits-cnn/params.yaml)" in message
