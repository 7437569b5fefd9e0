"""Whole runs on digits: the same bits twice, divergence as a result, no test set in choices."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.conftest import digits_run
from tests.training.probes import provide_images, trained

from optbench.core import records
from optbench.core.errors import UsageError
from optbench.core.run import Budget, Run
from optbench.params import signatures
from optbench.training import assembly, device
from optbench.training.assembly import points, prepare
from optbench.training.loop import Learner, first_not_finite
from optbench.training.train import complete, weights

pytestmark = pytest.mark.usefixtures("digits")
OPTIMIZERS = signatures.names("optimizers")
# Those that multiply and decompose matrices of their own.
MATRIX = [n for n in OPTIMIZERS if signatures.constant("optimizers", n, "FAMILY") == "matrix"]


def files(run: Run, folder: Path) -> dict[str, bytes]:
    training = prepare(run)
    records.write(complete(run, training), folder)
    (folder / "weights.safetensors").write_bytes(weights(training))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("optimizer", "precision"),
    [(name, "fp32") for name in OPTIMIZERS] + [(name, "bf16") for name in ("sgd", *MATRIX)],
)
def test_the_same_run_gives_the_same_bits(tmp_path, optimizer, precision):
    run = digits_run(optimizer, precision=precision)
    first = files(run, tmp_path / "first")
    torch.rand(1)  # somebody else's randomness changes nothing
    assert files(run, tmp_path / "second") == first


def test_control_another_seed_gives_other_bits(tmp_path):
    first = files(digits_run(seed=0), tmp_path / "first")
    second = files(digits_run(seed=1), tmp_path / "second")
    for name in ("history.csv", "predictions.json", "weights.safetensors"):
        assert first[name] != second[name]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_digits(optimizer):
    outcome = trained(digits_run(optimizer, budget=Budget(epochs=10)))
    assert outcome.test_score > 0.95
    assert outcome.test_score == pytest.approx(outcome.history[-1].heldout_score, abs=0.1)


def test_a_run_that_diverges_is_recorded_with_its_step():
    outcome = trained(digits_run(args={"lr": 1e9}))
    assert 1 <= outcome.diverged_at_step <= 5
    assert outcome.steps == outcome.diverged_at_step
    assert outcome.test_score is outcome.test_loss is outcome.validation_score is None
    assert outcome.predictions == {}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_absurd_learning_rate_is_a_result_of_every_optimizer(optimizer):
    outcome = trained(digits_run(optimizer, args={"lr": 1e30}))
    if outcome.diverged_at_step is None:  # clipped by its KL divergence, then
        assert optimizer in ("kfac", "ngd")
        assert outcome.test_score < 0.5
    else:
        assert outcome.test_score is None
    records.write(outcome, Path("result"))
    assert records.read(Path("result")) == outcome


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("step", [1, 22, 23, 44])
def test_a_loss_that_is_nan_at_a_step_is_recorded_with_that_step(monkeypatch, optimizer, step):
    taken, original = 0, Learner.backward

    def nan_once(self, batch):
        nonlocal taken
        taken += 1
        images, labels = batch
        return original(self, (images * (math.nan if taken == step else 1), labels))

    monkeypatch.setattr(Learner, "backward", nan_once)
    outcome = trained(digits_run(optimizer))
    assert outcome.diverged_at_step == outcome.steps == step
    assert [point.step for point in outcome.history] == [p for p in points(44) if p < step]


def test_first_not_finite_gives_the_place_of_nan_and_infinity():
    assert first_not_finite(torch.tensor([1.0, 2.0])) is None
    assert first_not_finite(torch.tensor([1.0, math.nan, math.inf])) == 1
    assert first_not_finite(torch.tensor([math.inf])) == 0


def test_a_budget_in_steps_is_the_run_of_as_many_epochs():
    by_epochs = trained(digits_run(budget=Budget(epochs=2)))
    by_steps = trained(digits_run(budget=Budget(steps=44)))
    assert replace(by_steps, run=by_epochs.run) == by_epochs
    assert by_steps.run != by_epochs.run
    longer = trained(digits_run(budget=Budget(steps=45)))  # the control
    assert longer.test_loss != by_steps.test_loss


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [("sgd", {"torch"}), ("kfac", {"torch"})],
)
def test_the_packages_of_an_optimizer_are_named_with_their_versions(optimizer, expected):
    outcome = trained(digits_run(optimizer, budget=Budget(steps=1)))
    assert set(outcome.packages) - {"optbench"} == expected
    assert outcome.packages["torch"] == torch.__version__.partition("+")[0]


def test_norm_and_bias_decay_as_the_workload_says():
    settings = digits_run().settings
    cpu = torch.device("cpu")
    task = assembly.build_task(settings, 0, cpu)
    for decay, vectors_decay in [(True, 0.1), (False, 0.0)]:
        chosen = replace(settings, decay_norm_and_bias=decay)
        model = assembly.build_model(chosen, task, 0, cpu)
        for name in OPTIMIZERS:
            args = {"lr": 0.1, "weight_decay": 0.1}
            groups = assembly.build_optimizer(name, model, chosen, args).param_groups
            decays = {p: group["weight_decay"] for group in groups for p in group["params"]}
            expected = {p: 0.1 if p.ndim > 1 else vectors_decay for p in model.parameters()}
            assert decays == expected


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(UsageError, match="batch_size must be at most 1442"):
        trained(digits_run(batch_size=2000))


def test_an_absent_device_is_refused():
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(UsageError, match=f"device '{absent}' is not present here; present: auto"):
        device.select(absent)


@pytest.mark.parametrize("name", ["cuda:7", "cuda:99"])
def test_a_gpu_that_is_not_there_is_refused(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 7)
    with pytest.raises(UsageError, match=f"device '{name}' is not present here"):
        device.select(name)
    assert device.select("cuda:6") == torch.device("cuda:6")  # the control


def test_weights_are_safetensors_of_every_parameter(tmp_path):
    run = digits_run()
    training = prepare(run)
    complete(run, training)
    model = training.learner.model
    (tmp_path / "w.safetensors").write_bytes(weights(training))
    loaded = load_file(tmp_path / "w.safetensors")
    assert loaded.keys() == model.state_dict().keys()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("network", "sides"), [("cnn", (8, 6)), ("cnn", (7, 9)), ("resnet9", (16, 8)),
                           ("resnet18", (9, 16))],
)  # fmt: skip
def test_images_need_not_be_square(monkeypatch, network, sides):
    provide_images(monkeypatch, *sides)
    run = digits_run(
        dataset="noise", network=network, batch_size=50, budget=Budget(steps=12),
        network_args={} if network == "resnet18" else {"width": 4},
        task_args={"crop_padding": 1, "flip": True},
    )  # fmt: skip
    outcome = trained(run)
    assert outcome.history[-1].train_loss < 0.9 * outcome.history[0].train_loss
    assert len(outcome.predictions["actual"]) == 200


@pytest.mark.slow
def test_compiled_training_learns_too():
    outcome = trained(digits_run(budget=Budget(epochs=10), compile=True))
    assert outcome.test_score > 0.95
