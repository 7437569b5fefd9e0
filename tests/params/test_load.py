"""Bad input gets a message that names key, value, what is allowed and the way out."""

import copy
import math
from pathlib import Path

import pytest
import yaml

from optbench.core.run import read_params
from optbench.params.load import load_params
from optbench.params.messages import ParamsError

GOOD = read_params()


def changed(path: str, value: object) -> dict:
    params = copy.deepcopy(GOOD)
    *parents, last = path.split("/")
    place = params
    for key in parents:
        place = place[key]
    place[last] = value
    return params


def problems_of(text: str, tmp_path: Path) -> str:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(ParamsError) as refusal:
        load_params(file)
    assert "git restore params.yaml" in str(refusal.value)
    return str(refusal.value)


def test_the_projects_own_params_are_valid():
    params = load_params()
    assert params.workload in params.workloads
    assert len(params.cells("digits-cnn")) == 6 * 3 * 10


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
    ("override/lr", "1e-3", "to YAML '1e-3' is text, write 0.001"),
    ("override/lr", [0.1], "override.lr: got [0.1]: must be a valid number"),
    ("override/batch_size", 50_001, "override.batch_size: got 50001: must be at most 50000"),
    ("workloads/digits-cnn/batch_size", 1443, "batch_size: got 1443: must be at most 1442, the"),
    ("override/device", "gpu", "override.device: got 'gpu': must be auto, cpu, mps, cuda"),
    ("suite/digits-cnn/seeds", [0, 0], "suite.digits-cnn.seeds: 0 stands twice"),
    ("suite/digits-cnn/optimizers", ["sdg"], "unknown optimizer 'sdg': did you mean 'sgd'?"),
    ("suite/digits-cnn/optimizers", "sgd", "must be a valid array"),
    ("workloads/digits-cnn/epochs", 0, "epochs: got 0: must be greater than 0"),
    ("workloads/digits-cnn/epochs", 1.5, "epochs: got 1.5: must be a valid integer"),
    ("workloads/digits-cnn/precision", "fp16", "must be 'fp32' or 'bf16'"),
    ("workloads/digits-cnn/dataset", "digit", "unknown dataset 'digit': did you mean 'digits'?"),
    ("workloads/digits-cnn/network", "cn", "unknown network 'cn': did you mean 'cnn'?"),
    ("workloads/digits-cnn/network_args", {"widht": 3}, "did you mean 'width'?"),
    ("workloads/digits-cnn/train_split", "half", "must be 'full' or 'holdout'"),
    ("optimizers/sgd/settings", {"momentum": 1.5}, "momentum: got 1.5: must be less than"),
    ("optimizers/sgd/settings", {"momentun": 0.9}, "did you mean 'momentum'?"),
    ("optimizers/sgd/digits-cnn/step", {"lr": 0}, "sgd.digits-cnn.step.lr: got 0"),
    ("optimizers/sgd/digits-cnn/step", {}, "optimizers.sgd.digits-cnn.step.lr is missing"),
    ("optimizers/sgd/digits-cnn/step", {"lr": 1, "momentum": 0.9}, "stands in optimizers.sgd"),
    ("optimizers/sgd/digits-cnn/step", 0.1, "must map names to values"),
    ("optimizers/adam/settings", {"betas": [0.9]}, "optimizers.adam.settings.betas"),
    ("optimizers/adam/settings", {"betas": [0.9, 1.0]}, "got 1.0: must be less than 1"),
    ("schedules/step/milestones", [0.7, 0.5], "the values must increase"),
    ("schedules/step", {"gama": 0.1}, "unknown key 'gama': did you mean 'gamma'?"),
    ("schedules/cosine/stepping", "batch", "must be 'iteration' or 'epoch'"),
    ("evaluation/digits-cnn/target_accuracy", 95, "got 95: must be less than or equal"),
    ("optimizers/sgd/settings", 3, "optimizers.sgd.settings is missing"),
    ("optimizers/sgd/digits-cnn", 3, "optimizers.sgd.digits-cnn must map schedules"),
    ("suite/digits-cnn/optimizers", [["sgd"]], "suite.digits-cnn.optimizers.0: got ['sgd']"),
    ("search/digits-cnn", 3, "search.digits-cnn: got 3: must be"),
    ("search/digits-cnn/space", {"sgd": 3}, "search.digits-cnn.space.sgd: got 3: must be"),
    ("search/digits-cn", {}, "search.digits-cn.trials is missing"),
    ("search/digits-cnn/trials", 0, "search.digits-cnn.trials: got 0: must be greater than 0"),
    ("search/digits-cnn/epochs", 0, "search.digits-cnn.epochs: got 0: must be greater than 0"),
    ("search/digits-cnn/schedule", "cosin", "unknown schedule 'cosin': did you mean 'cosine'?"),
    ("search/digits-cnn/space/sgd/lr", [0.1, 0.01], "got [0.1, 0.01]: must be [low, high] with"),
    ("search/digits-cnn/space/sgd/lr", [0, 0.1], "must be [low, high] with 0 < low < high"),
    ("search/digits-cnn/space/sgd/lr", [0.1], "must be [low, high] with 0 < low < high"),
    ("search/digits-cnn/space/sgd/lr", [0.1, "1e-3"], "must be [low, high] with 0 < low < high"),
    ("search/digits-cnn/space/sgd/lr", [0.1, math.inf], "must be [low, high] with"),
    ("search/digits-cnn/space/sgd/lr", True, "got True: must be [low, high] with"),
    ("search/digits-cnn/space/sgd/weight_decay", -1.0, "weight_decay: got -1.0: must be greater"),
    ("search/digits-cnn/space/sgd/momentum", [0.1, 0.9], "unknown dimension 'momentum'"),
    ("search/digits-cnn/space/sgd/damping", 0.1, "space.sgd.damping: unknown key 'damping'"),
    ("search/digits-cnn/space/sdg", {"lr": 0.1}, "unknown optimizer 'sdg': did you mean 'sgd'?"),
    ("search/digits-cnn/space/sgd", {"lr": [0.1, 1.0]}, "space.sgd names lr, but optimizers.sgd."),
    (
        "search/digits-cnn/space/sgd/lr",
        [0.1, 1.0],
        "sizes differ: adam 2 dimensions, 5.50 decades; adamw 2",
    ),
    ("search/digits-cnn/space/sgd/weight_decay", 0.0005, "sgd 1 dimension, 2.50 decades: give"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD_VALUES)
def test_a_bad_value_is_named(path, value, message, tmp_path):
    text = yaml.safe_dump(changed(path, value))
    assert message in problems_of(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a mapping of keys, got NoneType"),
        ("- a\n", "must be a mapping of keys, got list"),
        ("a: [", "is not YAML"),
        ("seed: !!python/object:os.system {}", "is not YAML"),
        ("workload: digits-cnn\n", "optimizer is missing"),
        ("2025-01-15: a\n", "2025-01-15: got datetime.date(2025, 1, 15) as a key"),
        ("suite: {1: a}\n", "suite.1: got 1 as a key: a key must be text, so quote it"),
    ],
)
def test_a_bad_file_is_named(text, message, tmp_path):
    assert message in problems_of(text, tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match="cannot be read"):
        load_params(tmp_path / "params.yaml")


def test_an_unknown_key_and_a_missing_one_are_both_told(tmp_path):
    params = copy.deepcopy(GOOD)
    params["suites"] = params.pop("suite")
    message = problems_of(yaml.safe_dump(params), tmp_path)
    assert "suite is missing" in message
    assert "unknown key 'suites': did you mean 'suite'?" in message


def test_an_override_that_cannot_be_set_is_told(tmp_path):
    params = copy.deepcopy(GOOD)
    del params["override"]["lr"]
    assert "override.lr is missing" in problems_of(yaml.safe_dump(params), tmp_path)


def test_a_suite_without_hyper_parameters_is_told(tmp_path):
    params = copy.deepcopy(GOOD)
    del params["optimizers"]["adam"]["digits-cnn"]["step"]
    message = problems_of(yaml.safe_dump(params), tmp_path)
    assert "optimizers.adam.digits-cnn.step is missing" in message


def test_a_workload_without_stages_is_told(tmp_path):
    params = copy.deepcopy(GOOD)
    params["workloads"]["other"] = params["workloads"]["digits-cnn"]
    message = problems_of(yaml.safe_dump(params), tmp_path)
    assert "suites/other/dvc.yaml is missing" in message
    assert "suite.other is missing" in message


def test_an_optimizer_of_the_suite_without_a_space_is_told(tmp_path):
    params = copy.deepcopy(GOOD)
    del params["search"]["digits-cnn"]["space"]["adam"]
    message = problems_of(yaml.safe_dump(params), tmp_path)
    assert "search.digits-cnn.space.adam is missing" in message


def test_a_search_without_stages_or_a_workload_without_winners_is_told(tmp_path):
    params = copy.deepcopy(GOOD)
    params["search"]["cifar10-resnet18"] = params["search"]["digits-cnn"]
    params["workloads"]["other"] = params["workloads"]["digits-cnn"]
    message = problems_of(yaml.safe_dump(params), tmp_path)
    assert "searches/cifar10-resnet18/dvc.yaml is missing: copy" in message
    assert "searches/winners.yaml has no entry for workload 'other': add 'other: {}'" in message


def test_a_search_of_fixed_numbers_and_none_at_all_are_told_apart(tmp_path):
    """A workload need not be searched; a search needs something to search."""
    params = copy.deepcopy(GOOD)
    del params["search"]["digits-cnn"]
    (tmp_path / "good.yaml").write_text(yaml.safe_dump(params))
    assert "digits-cnn" not in load_params(tmp_path / "good.yaml").searches
    params = copy.deepcopy(GOOD)
    spaces = params["search"]["digits-cnn"]["space"]
    for name, space in spaces.items():
        spaces[name] = dict.fromkeys(space, 0.1)
    message = problems_of(yaml.safe_dump(params), tmp_path)
    assert "search.digits-cnn.space: nothing is searched" in message
