"""A room's params.yaml: what it names must be able to run, else a sentence says why not."""

import math

import pytest
from tests.conftest import ROOT as PROJECT
from tests.params.documents import (
    GOOD,
    ROOM,
    changed,
    lacking,
    load,
    refusal,
    unsearched,
    with_suite,
    without,
)

from optbench.core.arm import Arm
from optbench.core.run import Budget, Settings
from optbench.core.space import decades
from optbench.params.load import load_params, load_room, rooms
from optbench.params.schema import Control, Override, Search, Suite


def test_a_good_room_is_typed_and_its_defaults_are_filled_in():
    room = load(ROOM, changed(ROOM, "optimizers/adam", {"lr": 1, "betas": [0, 0.999]}))
    assert room.optimizers["adam"] == {
        "lr": 1.0, "betas": (0.0, 0.999), "eps": 1e-8, "weight_decay": 0.0,
    }  # fmt: skip
    assert [type(value) for value in room.optimizers["adam"]["betas"]] == [float, float]
    assert type(room.optimizers["adam"]["lr"]) is float
    assert room.optimizers["kfac"]["fisher"] == "mc"
    assert len(room.suite.every_arm) == len({*room.suite.arms}) >= 6 * 3
    assert room.suite.threads is None
    assert room.settings.budget == Budget(epochs=10)
    assert room.score.name == "accuracy"


def test_what_is_read_is_of_the_dataclasses_themselves():
    """An instance of a subclass, which pydantic can make, equals none that a plan gives back."""
    room, params = load(ROOM, GOOD[ROOM]), load_params()
    for value, shape in [(room.settings, Settings), (room.settings.budget, Budget),
                         (room.suite, Suite), (room.search, Search),
                         (room.control, Control), (params.override, Override)]:  # fmt: skip
        assert type(value) is shape


def test_every_room_of_the_project_is_valid(monkeypatch):
    monkeypatch.chdir(PROJECT)
    params = load_params()
    assert len(rooms()) >= 3
    for name in rooms():
        room = load_room(name, params)
        assert room.name == name
        assert room.suite.every_arm


def test_all_spaces_of_a_room_have_one_number_of_dimensions_and_of_decades(monkeypatch):
    monkeypatch.chdir(PROJECT)
    searched = [room for name in rooms() if (room := load_room(name, load_params())).search]
    assert len(searched) >= 3
    for room in searched:
        spaces = room.search.space
        assert {*spaces} == {*room.optimizers}
        assert len({len(space) for space in spaces.values()}) == 1, room.name
        sizes = [decades(space) for space in spaces.values()]
        assert max(sizes) - min(sizes) < 0.01, room.name


BAD_VALUES = [
    ("name", "digits", "name: got 'digits': must be the folder's, 'digits-cnn'"),
    ("target", 95, "target: got 95: accuracy must be at least 0 and at most 1, as it is stored"),
    ("target", -0.1, "target: got -0.1: accuracy must be at least 0"),
    ("target", math.nan, "target: got nan: must be a finite number"),
    ("settings", 3, "settings: got 3: must be"),
    ("settings/dataset", "digit", "unknown dataset 'digit': did you mean 'digits'?"),
    ("settings/task", "image", "settings.task: unknown task 'image'"),
    ("settings/task_args", {"flop": True}, "unknown key 'flop': did you mean 'flip'?"),
    ("settings/task_args/crop_padding", -1, "crop_padding: got -1: must be greater than or equal"),
    ("settings/task_args/label_smoothing", 1.0, "label_smoothing: got 1.0: must be less than 1"),
    ("settings/network", "cn", "unknown network 'cn': did you mean 'cnn'?"),
    ("settings/network_args", {"widht": 3}, "did you mean 'width'?"),
    ("settings/network_args", {"width": 0}, "width: got 0: must be greater than 0"),
    ("settings/network_args", {"classes": 3}, "settings.network_args.classes: unknown key"),
    ("settings/train_split", "half", "must be 'full' or 'holdout'"),
    (
        "settings/budget",
        {},
        "budget: got neither: must name epochs or steps, one of",
    ),
    ("settings/budget", {"epochs": 3, "steps": 70}, "settings.budget: got both: must name"),
    ("settings/budget", {"epochs": 0}, "settings.budget.epochs: got 0: must be greater than 0"),
    ("settings/budget", {"epoch": 3}, "unknown key 'epoch': did you mean 'epochs'?"),
    ("settings/batch_size", 1, "settings.batch_size: got 1: must be greater than 1"),
    ("settings/batch_size", 1443, "batch_size: got 1443: must be at most 1442, the size of digits"),
    ("settings/device", "gpu", "settings.device: got 'gpu': must be auto, cpu, mps, cuda"),
    ("settings/device", "cuda:100", "got 'cuda:100': must be auto, cpu, mps, cuda or cuda:N, N be"),
    ("settings/threads", 0, "settings.threads: got 0: must be greater than 0"),
    ("settings/threads", 1025, "settings.threads: got 1025: must be less than 1025"),
    ("settings/devices", 0, "settings.devices: got 0: must be greater than 0"),
    ("settings/devices", 1025, "settings.devices: got 1025: must be less than 1025"),
    ("settings/devices", 3, "got 3 with batch_size 64: each device must have as many examples of"),
    (
        "settings/devices",
        64,
        "got 64 with batch_size 64: each device must have as many examples of",
    ),
    ("settings/devices", 2, "optimizers.ngd: ngd trains on one device alone, since"),
    ("settings/precision", "fp16", "settings.precision: got 'fp16': must be 'fp32' or 'bf16'"),
    ("suite/studies", [0, 0], "suite.studies: 0 stands twice: remove one of the two"),
    ("suite/studies", [2, "0-9"], "suite.studies: 2 stands twice: remove one of the two"),
    ("suite/studies", [-1], "suite.studies.0: got -1: must be a whole number or a range of them"),
    ("suite/studies", ["9-0"], "suite.studies.0: got '9-0': must be a whole number or a range"),
    ("suite/studies", [0, 1000], "suite.studies: got 1000: must be from 0 to 999"),
    ("suite/studies", ["0-1000"], "suite.studies: got 0-1000: must be from 0 to 999"),
    ("suite/studies", [0.5], "suite.studies.0: got 0.5: must be a whole number or a range of them"),
    ("suite/studies", [True], "suite.studies.0: got True: must be a whole number or a range"),
    ("suite/studies", 5, "suite.studies: got 5: must be a valid array"),
    ("suite/studies", [], "suite.repeated: there is no study whose winner could be: name suite.st"),
    ("suite/threads", 0, "suite.threads: got 0: must be greater than 0"),
    ("suite/arms", "sgd-cosine", "must be a valid array"),
    ("suite/arms", [["sgd-cosine"]], "suite.arms.0: got ['sgd-cosine']"),
    ("suite/arms", ["sgd-cosine", "sgd-cosine"], "suite.arms: 'sgd-cosine' stands twice"),
    ("suite/arms", ["sgd"], "suite.arms.0: got 'sgd': 'sgd' names no arm, as in 'adamw-cosine'"),
    ("suite/arms", ["sgd cosine"], "suite.arms.0: got 'sgd cosine': 'sgd cosine' names no arm"),
    ("suite/arms", ["sgd-cosine-0"], "arms.0: got 'sgd-cosine-0': 'sgd-cosine-0' names no arm"),
    ("suite/arms", ["sgd-cosine-tuned"], "arms.0: got 'sgd-cosine-tuned': 'sgd-cosine-tuned' n"),
    ("suite/arms", ["sdg-cosine"], "suite.arms: unknown optimizer 'sdg': did you mean 'sgd'?"),
    ("suite/arms", ["sgd-cosin"], "suite.arms: unknown schedule 'cosin': did you mean 'cosine'?"),
    (
        "suite/repeated",
        ["sgd-wsd"],
        "suite.repeated: unknown arm 'sgd-wsd': did you mean 'sgd-step'? known: adam-cosine, ",
    ),
    (
        "suite/fresh",
        ["adamw-cosine-untuned"],
        "suite.fresh: unknown arm 'adamw-cosine-untuned': did you mean 'adamw-warmup_cosin",
    ),
    ("suite/repeated", ["sgd-step", "sgd-step"], "suite.repeated: 'sgd-step' stands twice: remove"),
    ("suite/fresh", ["sgd-step", "sgd-step"], "suite.fresh: 'sgd-step' stands twice: remove one"),
    ("suite/study", [0], "suite.study: unknown key 'study': did you mean 'studies'?"),
    (
        "suite/seeds",
        [0],
        "suite.seeds: unknown key 'seeds': known: arms, fresh, repeated, studies, th",
    ),
    ("optimizers", {}, "optimizers.sgd is missing: add its hyper-parameters, for example"),
    ("optimizers/sdg", {"lr": 0.1}, "optimizers.sdg: unknown optimizer 'sdg': did you mean 'sgd'"),
    ("optimizers/sgd", {}, "optimizers.sgd.lr is missing: add it"),
    ("optimizers/sgd", 0.1, "optimizers.sgd: got 0.1: must be"),
    ("optimizers/sgd/lr", 0, "optimizers.sgd.lr: got 0: must be greater than 0"),
    ("optimizers/sgd/momentum", 1.5, "sgd.momentum: got 1.5: must be less than"),
    ("optimizers/sgd/momentun", 0.9, "did you mean 'momentum'?"),
    ("optimizers/sgd/momentum", 0, "sgd.nesterov: got True with momentum 0.0: needs a momentum a"),
    ("optimizers/adam/betas", [0.9], "optimizers.adam.betas"),
    ("optimizers/adam/betas", [0.9, 0.99, 0.999], "optimizers.adam.betas"),
    ("optimizers/adam/betas", [0.9, 1.0], "betas.1: got 1.0: must be less than 1"),
    ("optimizers/adam/eps", [1e-8, 1e-8], "optimizers.adam.eps: got [1e-08, 1e-08]: must be a v"),
    ("optimizers/kfac/fisher", "exact", "optimizers.kfac.fisher: got 'exact': must be 'mc', 'type"),
    ("optimizers/kfac/t_cov", 1.5, "optimizers.kfac.t_cov: got 1.5: must be a valid integer"),
    ("best", {"sdg-step": {"lr": 1.0}}, "best.sdg-step: unknown optimizer 'sdg': did you mean"),
    ("best", {"sgd-stp": {"lr": 1.0}}, "best.sgd-stp: unknown schedule 'stp': did you mean 'step'"),
    ("best", {"sgd-step-untuned": {"lr": 1.0}}, "unknown schedule 'step-untuned'"),
    ("best", {"sgd": {"lr": 1.0}}, "best.sgd: unknown schedule ''"),
    ("best", {"sgd-step": {"lr": 0}}, "best.sgd-step.lr: got 0: must be greater than 0"),
    ("best", {"sgd-step": {"l": 1.0}}, "best.sgd-step.l: unknown key 'l': did you mean 'lr'?"),
    ("best", {"sgd-step": 0.1}, "best.sgd-step: got 0.1: must be"),
    ("best", {"sgd-step": {"momentum": 0}}, "best.sgd-step.nesterov: got True with momentum 0.0"),
    ("suite/arms", [], "suite.arms: got []"),
    ("control", 3, "control: got 3: must be"),
    ("control/studies", 19, "control.studies: got 19: must be greater than or equal to 20"),
    ("control/repeated", -1, "control.repeated: got -1: must be greater than or equal to 0"),
    (
        "control/repeated",
        101,
        "control.repeated: got 101: must be at most 100, the number of contr",
    ),
    ("control/arm", "sgd", "control.arm: got 'sgd': 'sgd' names no arm, as in 'adamw-cosine'"),
    ("control/arm", "sgd-cosin", "control.arm: unknown schedule 'cosin': did you mean 'cosine'?"),
    (
        "control/arm",
        "sgd-cosine-untuned",
        "control.arm: got 'sgd-cosine-untuned': must be an arm that is tuned: write sgd-cosine",
    ),
    (
        "control/arm",
        "sgd-cosine-published",
        "control.arm: got 'sgd-cosine-published': must be an arm that is tuned: write sgd-cosine",
    ),
    ("search", 3, "search: got 3: must be"),
    ("search/space", {"sgd": 3}, "search.space.sgd: got 3: must be"),
    ("search/trials", 0, "search.trials: got 0: must be greater than 0"),
    ("search/budget", {"epochs": 1}, "search.budget: unknown key 'budget': known: space, trials"),
    ("search/space/sgd/lr", [0.1, 0.01], "got [0.1, 0.01]: must be [low, high], 0 < low < high"),
    ("search/space/sgd/lr", [0.1, 0.1], "got [0.1, 0.1]: must be [low, high], 0 < low < high"),
    ("search/space/sgd/lr", [0, 0.1], "search.space.sgd.lr.0: got 0: must be greater than 0"),
    ("search/space/sgd/lr", [0.1], "search.space.sgd.lr"),
    ("search/space/sgd/lr", [0.1, "0.001"], "search.space.sgd.lr.1: got '0.001': must be a valid"),
    ("search/space/sgd/lr", [0.1, math.inf], "search.space.sgd.lr.1: got inf: must be a finite"),
    ("search/space/sgd/lr", True, "search.space.sgd.lr: got True: must be a valid array"),
    ("search/space/sgd/weight_decay", -1.0, "weight_decay: got -1.0: must be a valid array"),
    ("search/space/sgd/momentum", [0.1, 1.5], "search.space.sgd.momentum: got 1.5: must be less"),
    ("search/space/sgd/damping", [0.1, 1.0], "space.sgd.damping: unknown argument 'damping'"),
    ("search/space/sgd/nesterov", [0.1, 1.0], "nesterov: got True in its row: must be a number"),
    ("search/space/adam/betas", [0.1, 0.9], "space.adam.betas: got (0.9, 0.999) in its row: must"),
    ("search/space/kfac/t_cov", [1.5, 15.5], "search.space.kfac.t_cov: got 1.5: must be a valid i"),
    ("search/space/kfac/max_dim", [10.0, 90.0], "kfac.max_dim: got None in its row: must be a num"),
    ("search/space/sdg", {"lr": [0.1, 1.0]}, "unknown optimizer 'sdg': did you mean 'sgd'?"),
    ("search/space/sgd/lr", [0.1, 1.0], "sgd 2 dimensions, 4.00 decades"),
    ("search/space/sgd", {"lr": [1e-3, 316.0]}, "sgd 1 dimension, 5.50 decades"),
]


@pytest.mark.parametrize(("place", "value", "message"), BAD_VALUES)
def test_a_bad_value_is_named(place, value, message):
    assert message in refusal(ROOM, changed(ROOM, place, value))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("target", 0), ("target", 1), ("settings/device", "cuda:99"), ("settings/threads", 1024),
        ("settings/budget", {"steps": 1}), ("settings/batch_size", 1442),
        ("suite/studies", [999, 0]), ("suite/studies", ["0-9", 11, "12-999"]),
        ("settings/network_args", {}), ("optimizers/adam/betas", [0, 0]),
        ("optimizers/sgd", {"lr": 1e-9, "momentum": 0, "nesterov": False}),
        ("best", {"sgd-step": {"lr": 0.005}, "adam-one_cycle": {}}),
        ("suite/threads", 1024), ("suite/repeated", []), ("suite/fresh", []),
        ("control", None), ("control/studies", 40), ("control/repeated", 100),
        ("search/space/sgd", {"lr": [1e-3, 0.316], "momentum": [5e-4, 0.5]}),
        ("search/space/kfac", {"lr": [1e-3, 0.316], "fallback_lr": [1e-3, 1.0]}),
    ],
)  # fmt: skip
def test_control_what_is_just_inside_is_taken(place, value):
    document = changed(ROOM, place, value)
    if "search" in place and "kfac" in place:  # a number in the row, and so it can be searched
        document["optimizers"]["kfac"]["fallback_lr"] = 0.1
    load(ROOM, document)


@pytest.mark.parametrize("key", GOOD[ROOM])
def test_a_missing_key_is_named(key):
    document = without(ROOM, key)
    if key == "control":
        assert load(ROOM, document).control is None
    elif key == "sweeps":
        assert load(ROOM, document).sweeps == load(ROOM, document | {"sweeps": None}).sweeps == {}
    elif key == "search":
        assert "has no space to be tuned in" in refusal(ROOM, document)
        document = unsearched(GOOD[ROOM])
        del document["search"]
        assert load(ROOM, document).search is None
    else:
        assert f"{key} is missing: add it" in refusal(ROOM, document)


@pytest.mark.parametrize("key", GOOD[ROOM]["settings"])
def test_a_missing_setting_is_named(key):
    assert f"settings.{key} is missing: add it" in refusal(ROOM, without(ROOM, f"settings/{key}"))


def test_an_optimizer_of_the_suite_without_a_row_or_a_space_is_named():
    message = refusal(ROOM, without(ROOM, "optimizers/adam"))
    assert "optimizers.adam is missing: add its hyper-parameters" in message
    assert "search.space.adam: unknown optimizer 'adam'" in message
    message = refusal(ROOM, without(ROOM, "search/space/adam"))
    assert "search.space.adam is missing: add its ranges" in message


def test_a_search_on_several_devices_is_refused():
    document = lacking(changed(ROOM, "settings/devices", 2), "ngd")
    message = "sweeps.eps: its runs train on one device and are chosen by validation"
    assert message in refusal(ROOM, document)
    document["suite"]["repeated"] = []
    message = "search: trials train on one device, and settings.devices is 2: leave search empty"
    assert message in refusal(ROOM, document)
    document = unsearched(document)
    assert load(ROOM, document).settings.devices == 2  # the control
    document["suite"]["repeated"] = ["sgd-cosine-published"]
    message = "suite.repeated: winners train on one device, and settings.devices is 2: name none"
    assert message in refusal(ROOM, document)


def test_a_search_without_a_validation_set_that_is_held_out_for_good_is_refused():
    document = changed(ROOM, "settings/train_split", "full")
    message = refusal(ROOM, document)
    assert "settings.train_split: got 'full': trials are chosen on a validation set" in message
    assert "write holdout, or leave search empty" in message
    assert load(ROOM, unsearched(document)).settings.train_split == "full"  # the control


def test_a_tuned_arm_needs_a_space():
    document = with_suite(GOOD[ROOM], "adamw-cosine") | {"search": None, "control": None}
    message = refusal(ROOM, document)
    assert (
        "suite.arms: adamw-cosine has no space to be tuned in: write `search`, or name" in message
    )
    assert "adamw-cosine-published for the values of its row, or adamw-cosine-untuned" in message
    for key in ("adamw-cosine-published", "adamw-cosine-untuned"):
        assert load(ROOM, with_suite(document, key)).suite.arms == (key,)  # the control
    document["control"] = GOOD[ROOM]["control"]
    message = refusal(ROOM, with_suite(document, "adamw-cosine-published"))
    assert (
        "control.arm: sgd-warmup_cosine has no space to be tuned in: write `search`, or" in message
    )


PLAIN = "def build(model, param_groups, *, lr: float, clip: float = 1.0): ...\n"


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            "",
            'names no values of its authors: write UNTUNED = {"lr": ...}, or take its untuned arm',
        ),
        ('UNTUNED = {"lr": 0}\n', "plain.py: UNTUNED.lr: got 0: must be greater than 0"),
        ('UNTUNED = {"momentum": 0.9}\n', "plain.py: UNTUNED.lr is missing: add it; UNTUNED.mom"),
        ("UNTUNED = 3\n", "plain.py: UNTUNED: got 3: must map names to values"),
    ],
)
def test_an_untuned_arm_needs_its_authors_values(add_part, declared, message):
    document = unsearched(changed(ROOM, "optimizers/plain", {"lr": 0.1}))
    document = with_suite(document, "plain-cosine-untuned")
    add_part("optimizers", "plain", declared + PLAIN)
    refused = refusal(ROOM, document)
    assert "suite.arms: plain-cosine-untuned: " in refused
    assert message in refused
    add_part("optimizers", "plain", 'UNTUNED = {"lr": 0.5}\n' + PLAIN)  # the control
    arm = Arm("plain", "cosine", "untuned")
    assert load(ROOM, document).study_args(arm) == {"lr": 0.5, "clip": 1.0}


def test_what_each_device_takes_must_come_out_even():
    document = changed(ROOM, "optimizers/kfac/curvature_batch", 31)
    document["settings"]["devices"] = 2
    message = "optimizers.kfac.curvature_batch: got 31 with 2 devices"
    assert message in refusal(ROOM, document)
    document["settings"]["devices"] = 1
    assert load(ROOM, document).optimizers["kfac"]["curvature_batch"] == 31


def test_a_search_needs_something_to_search():
    empty = {name: {} for name in GOOD[ROOM]["optimizers"]}
    assert "search.space: nothing is searched" in refusal(
        ROOM, changed(ROOM, "search/space", empty)
    )


def test_all_problems_are_named_at_once():
    document = changed(ROOM, "settings/device", "gpu")
    document["optimizers"]["sgd"]["lr"] = -1
    document["name"] = "x"
    message = refusal(ROOM, document)
    assert all(part in message for part in ("settings.device", "optimizers.sgd.lr", "name: got"))
    assert message.count("optimizers.sgd.lr") == 1


def test_a_bad_row_is_told_once_where_an_arm_has_a_best_trial_too():
    document = changed(ROOM, "best", {"sgd-step": {"lr": 0.1}})
    document["optimizers"]["sgd"]["momentum"] = 7
    message = refusal(ROOM, document)
    assert "optimizers.sgd.momentum: got 7" in message
    assert "best" not in message


def test_the_best_trial_is_typed_and_holds_in_the_single_run_of_its_arm_alone():
    room = load(ROOM, changed(ROOM, "best", {"adam-step": {"lr": 1, "betas": [0, 0.99]}}))
    changes = {"lr": 1.0, "betas": (0.0, 0.99)}
    assert room.best == {"adam-step": changes}
    assert type(room.best["adam-step"]["betas"][0]) is float
    row = room.optimizers["adam"]
    assert room.single_args(Arm("adam", "step")) == {**row, **changes}
    assert room.single_args(Arm("adam", "cosine")) == row  # the controls
    assert room.study_args(Arm("adam", "step", "published")) == row


def test_a_study_searches_where_its_arm_is_tuned_and_has_one_trial_where_it_is_not():
    room = load(ROOM, GOOD[ROOM])
    tuned, untuned = Arm("adamw", "step"), Arm("adamw", "step", "untuned")
    published = Arm("adamw", "step", "published")
    assert {*room.space(tuned)} == {"lr", "weight_decay"}
    assert not {"lr", "weight_decay"} & {*room.study_args(tuned)}
    assert room.space(untuned) == room.space(published) == {}
    assert [room.trials(arm) for arm in (tuned, untuned, published)] == [8, 1, 1]
    values = [room.study_args(arm)["lr"] for arm in (untuned, published)]
    assert values == [0.001, GOOD[ROOM]["optimizers"]["adamw"]["lr"]]
