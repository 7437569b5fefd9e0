"""What a room names must go together: arms, schedules, data, networks and tasks."""

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
    with_suite,
    without,
)

from optbench.core.arm import Arm
from optbench.params.load import Room, load_params, load_room
from optbench.params.messages import ParamsError


def test_arms_are_those_that_are_named_in_their_order():
    keys = ("sgd-step", "adam-cosine-untuned", "adam-cosine", "kfac-step-published")
    document = with_suite(GOOD[ROOM], *keys)
    assert load(ROOM, document).suite.every_arm == (
        Arm("sgd", "step"), Arm("adam", "cosine", "untuned"), Arm("adam", "cosine"),
        Arm("kfac", "step", "published"),
    )  # fmt: skip


def test_a_schedule_that_the_project_does_not_have_is_named(house):
    (house / PARAMS).write_text((house / PARAMS).read_text().replace("  step:\n", "  none:\n"))
    document = without(PARAMS, "schedules/step")
    params = load(PARAMS, document)
    with pytest.raises(ParamsError, match=r"schedules\.step is missing in params\.yaml: add its"):
        load_room("digits-cnn", params)


PLAIN = "def build(model, param_groups, *, lr: float): ...\n"
REFUSING = 'REFUSES = {"step": "it is schedule-free"}\n' + PLAIN


def with_arms(*arms: str, optimizer: str = "plain") -> dict:
    """The room with an optimizer that takes nothing but lr, and arms as published alone."""
    document = unsearched(changed(ROOM, f"optimizers/{optimizer}", {"lr": 0.1}))
    return with_suite(document, *(f"{arm}-published" for arm in arms))


def test_a_schedule_that_moves_momentum_needs_an_optimizer_that_has_it(add_part):
    add_part("optimizers", "plain", PLAIN)
    message = refusal(ROOM, with_arms("plain-cosine", "plain-one_cycle"))
    assert (
        "suite.arms: plain / one_cycle, as published cannot run: one_cycle moves momentum, and pl"
        in (message)
    )
    assert "plain / cosine" not in message
    for name in ("momentum: float = 0.9", "betas: tuple[float, float, float] = (0.9, 0.9, 0.9)"):
        add_part("optimizers", "plain", PLAIN.replace("lr: float", f"lr: float, {name}"))
        load(ROOM, with_arms("plain-cosine", "plain-one_cycle"))  # the control


def test_an_optimizer_refuses_schedules_by_name(add_part):
    add_part("optimizers", "free", REFUSING)
    message = refusal(ROOM, with_arms("free-cosine", "free-step", optimizer="free"))
    assert "suite.arms: free / step, as published cannot run: it is schedule-free" in message
    load(ROOM, with_arms("free-cosine", optimizer="free"))  # the control


def test_schedule_free_refuses_a_schedule_that_moves_beta1():
    arms = ("schedule_free-one_cycle", "schedule_free-cosine", "schedule_free-step")
    message = refusal(ROOM, with_arms(*arms, optimizer="schedule_free"))
    assert (
        "suite.arms: schedule_free / one_cycle, as published cannot run: schedule_free finds its"
        in (message)
    )
    assert "cosine" not in message
    load(ROOM, with_arms(*arms[1:], optimizer="schedule_free"))  # the control
    load(ROOM, with_arms("nadam-one_cycle", optimizer="nadam"))


def test_what_cannot_run_is_no_control_either():
    message = refusal(ROOM, changed(ROOM, "control/arm", "schedule_free-one_cycle"))
    assert "control.arm: schedule_free / one_cycle cannot run: schedule_free finds" in message
    load(ROOM, changed(ROOM, "control/arm", "schedule_free-cosine"))


def both(room: dict, params: dict) -> Room:
    """The room beside another params.yaml of the project."""
    for path, document in ((PARAMS, params), (ROOM, room)):
        path.write_text(dump(document))
    return load_room("digits-cnn", load_params())


@pytest.mark.parametrize(
    ("schedule", "fraction", "budget", "steps"),
    [
        ("cosine", 0.96, {"steps": 10}, 10),
        ("cosine", 0.9, {"steps": 10}, None),
        ("cosine", 0.96, {"steps": 220}, None),
        ("cosine", 0.96, {"epochs": 10}, None),
        ("step", 0.8, {"epochs": 2}, 2),  # changes with each epoch
        ("step", 0.8, {"epochs": 3}, None),
        ("step", 0.8, {"steps": 23}, 2),
    ],
)
def test_warm_up_must_leave_steps_to_the_schedule(schedule, fraction, budget, steps):
    params = changed(PARAMS, f"schedules/{schedule}/warmup_fraction", fraction)
    params["schedules"]["step"]["stepping"] = "epoch"
    room = changed(ROOM, "settings/budget", budget)
    if steps is None:
        both(room, params)
        return
    message = rf"schedules\.{schedule}\.warmup_fraction in params\.yaml: got {fraction}: it leaves "
    with pytest.raises(ParamsError, match=f"{message}none of this workload's {steps} steps to"):
        both(room, params)


def test_a_control_that_warm_up_eats_up_is_refused():
    params = changed(PARAMS, "schedules/wsd/warmup_fraction", 0.97)
    room = changed(ROOM, "settings/budget", {"steps": 10})
    both(room, params)  # the control: no arm has that schedule
    room["control"]["arm"] = "sgd-wsd"
    with pytest.raises(ParamsError, match=r"schedules\.wsd\.warmup_fraction .* none of this work"):
        both(room, params)


def test_a_network_must_not_be_deeper_than_its_data_allow(add_part):
    add_part("models", "deep", "MINIMUM_SIDES = (9, 8)\ndef build(*, channels: int): ...\n")
    document = changed(ROOM, "settings/network", "deep")
    document["settings"]["network_args"] = {}
    message = refusal(ROOM, document)
    assert "settings.network: deep needs sides of 9 x 8 and more, and digits has 8 x 8" in message
    add_part("models", "deep", "MINIMUM_SIDES = (8, 8)\ndef build(*, channels: int): ...\n")
    load(ROOM, document)  # the control


def test_a_data_set_that_declares_nothing_is_taken_as_it_is(add_part, house):
    add_part("datasets", "other", "def load(root): ...\n")
    obtains = house / "data/dvc.yaml"
    document = changed(ROOM, "settings/dataset", "other")
    document["settings"]["batch_size"] = 10**6
    message = refusal(ROOM, document)
    assert "settings.dataset: data/dvc.yaml does not obtain other: run `optbench new dataset" in (
        message
    )
    obtains.write_text(obtains.read_text().replace("- digits\n", "- digits\n    - other\n"))
    load(ROOM, document)  # the control


REGRESSION = """
from optbench.core.score import Score

SCORE = Score(
    name="mean squared error", unit="", difference_unit="", higher_is_better=False, low=0.0,
    high=None,
)
LIKELIHOOD = "gaussian"
"""


def regression(add_part, **changes) -> dict:
    """The room with a task whose outputs are Gaussian, and without what cannot train on it."""
    add_part("tasks", "regression/task", "def build(settings, root, *, seed, device): ...\n")
    add_part("tasks", "regression/score", REGRESSION)
    document = unsearched(GOOD[ROOM]) | changes
    document["settings"] |= {"task": "regression", "task_args": {}}
    document["settings"]["network_args"] = {"channels": 1, "classes": 1, "sides": [8, 8]}
    return document


def test_an_optimizer_that_does_not_know_the_likelihood_is_refused(add_part):
    document = regression(add_part)
    message = refusal(ROOM, document)
    for name in ("kfac", "ngd"):
        assert f"optimizers.{name}: {name} knows the curvature of categorical outputs alone" in (
            message
        )
        assert "those of regression are gaussian: take it out of this room" in message
        document = lacking(document, name)
    assert "sgd" not in message
    assert load(ROOM, document).score.name == "mean squared error"


TRANSFORMER = """
LAYERS = ("Embedding", "LayerNorm", "Linear")


def build(*, width: int = 16): ...
"""


def test_an_optimizer_that_does_not_know_the_networks_layers_is_refused(add_part):
    add_part("models", "gpt", TRANSFORMER)
    document = changed(ROOM, "settings/network", "gpt")
    document["best"] = {"ngd-step": {"damping": 1.0}}
    message = refusal(ROOM, document)
    for where in ("optimizers.ngd", "best.ngd-step"):
        assert (
            f"{where}: ngd needs the Jacobian of every layer and knows that of BatchNorm1d, "
            "BatchNorm2d, Conv2d, Linear alone, and gpt has Embedding, LayerNorm: take it out of "
            "this room"
        ) in message
    assert "kfac" not in message
    load(ROOM, lacking(document | {"best": {}}, "ngd"))


@pytest.mark.parametrize("layers", ['LAYERS = ("Conv2d", "Linear")', ""])
def test_control_known_layers_or_none_declared_are_taken(layers, add_part):
    _, rest = TRANSFORMER.strip().split("\n", 1)
    add_part("models", "gpt", f"{layers}\n{rest}\n")
    assert "ngd" in load(ROOM, changed(ROOM, "settings/network", "gpt")).optimizers


def test_a_target_must_be_possible_for_the_score(add_part):
    document = lacking(regression(add_part, target=-0.1), "kfac", "ngd")
    message = refusal(ROOM, document)
    assert "target: got -0.1: mean squared error must be at least 0, as it is stored" in message
    assert load(ROOM, {**document, "target": 9}).target == 9.0  # the control
