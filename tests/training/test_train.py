"""Whole runs on digits: the same bits twice, divergence as a result, no test set in choices."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.conftest import digits_run

from optbench.core import records
from optbench.core.errors import UsageError
from optbench.core.run import Run
from optbench.training import assembly, device
from optbench.training.loop import Learner, first_not_finite
from optbench.training.train import save_weights, train

OPTIMIZERS = ("sgd", "adam", "adamw", "radam", "kfac", "ngd")


def files(run: Run, folder: Path) -> dict[str, bytes]:
    outcome, model = train(run, "test")
    records.write(outcome, folder)
    save_weights(model, folder / "weights.safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_run_gives_the_same_bits(params, tmp_path, optimizer, precision):
    run = digits_run(params, optimizer, precision=precision)
    first = files(run, tmp_path / "first")
    torch.rand(1)  # somebody else's randomness changes nothing
    assert files(run, tmp_path / "second") == first


def test_control_another_seed_gives_other_bits(params, tmp_path):
    first = files(digits_run(params, seed=0), tmp_path / "first")
    second = files(digits_run(params, seed=1), tmp_path / "second")
    for name in ("history.csv", "predictions.json", "weights.safetensors"):
        assert first[name] != second[name]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_digits(params, optimizer):
    outcome, _ = train(digits_run(params, optimizer, epochs=10), "test")
    assert outcome.test_accuracy > 0.95


def test_a_run_that_diverges_is_recorded_with_its_step(params):
    outcome, _ = train(digits_run(params, args={"lr": 1e9}), "test")
    assert 1 <= outcome.diverged_at_step <= 5
    assert outcome.steps == outcome.diverged_at_step
    assert outcome.test_accuracy is None
    assert len(outcome.predictions.actual) == 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_absurd_learning_rate_is_a_result_of_every_optimizer(params, optimizer):
    run = digits_run(params, optimizer, args={"lr": 1e30})
    outcome, _ = train(run, "test")
    if outcome.diverged_at_step is None:  # clipped by its KL divergence, then
        assert optimizer in ("kfac", "ngd")
        assert outcome.test_accuracy < 0.5
    else:
        assert outcome.test_accuracy is None
    records.write(outcome, Path("result"))
    assert records.read(Path("result")) == outcome


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("step", [1, 22, 23, 44])
def test_a_loss_that_is_nan_at_a_step_is_recorded_with_that_step(
    params, monkeypatch, optimizer, step
):
    taken, original = 0, Learner.backward

    def nan_once(self, images, labels):
        nonlocal taken
        taken += 1
        return original(self, images * (math.nan if taken == step else 1), labels)

    monkeypatch.setattr(Learner, "backward", nan_once)
    outcome, _ = train(digits_run(params, optimizer), "test")
    assert outcome.diverged_at_step == outcome.steps == step
    assert len(outcome.history) == (step - 1) // 22


@pytest.mark.parametrize("error", ["torch", "python"])
def test_too_little_memory_is_told_and_nothing_is_made_smaller(params, monkeypatch, error):
    def allocate(self, images, labels):
        if error == "python":
            raise MemoryError
        return torch.empty(2**60, dtype=torch.uint8)  # more than any machine has

    monkeypatch.setattr(Learner, "backward", allocate)
    with pytest.raises(UsageError, match=r"workloads\.digits-cnn\.batch_size 64"):
        train(digits_run(params), "test")


def test_control_another_error_is_passed_on(params, monkeypatch):
    def fail(self, images, labels):
        raise RuntimeError("another")

    monkeypatch.setattr(Learner, "backward", fail)
    with pytest.raises(RuntimeError, match="another"):
        train(digits_run(params), "test")


def test_first_not_finite_finds_nan_and_infinity():
    assert first_not_finite(torch.tensor([1.0, 2.0])) is None
    assert first_not_finite(torch.tensor([1.0, math.nan, math.inf])) == 1
    assert first_not_finite(torch.tensor([math.inf])) == 0


def test_full_holds_out_the_test_set_and_holdout_a_part_of_training(params):
    data = assembly.load_data(digits_run(params).settings)
    cpu = torch.device("cpu")
    full = digits_run(params).settings
    train_batches, heldout, test = assembly.build_batches(full, data, 0, cpu)
    assert train_batches.count == len(data.train)
    assert torch.equal(heldout.pixels, test.pixels)
    holdout = replace(full, train_split="holdout")
    train_batches, heldout, test = assembly.build_batches(holdout, data, 0, cpu)
    assert train_batches.count + heldout.count == len(data.train)
    assert heldout.count == pytest.approx(len(data.train) / 10, abs=10)
    known = {bytes(image.tobytes()) for image in data.train.pixels}
    assert all(p.numpy().tobytes() in known for p in heldout.pixels.reshape(heldout.count, -1))


def test_the_history_of_holdout_does_not_read_the_test_set(params):
    outcome, _ = train(digits_run(params, train_split="holdout"), "test")
    assert outcome.history[-1].heldout_accuracy != outcome.test_accuracy
    full, _ = train(digits_run(params), "test")
    assert full.history[-1].heldout_accuracy == full.test_accuracy  # the control


def test_norm_and_bias_decay_as_the_workload_says(params):
    settings = digits_run(params).settings
    data, cpu = assembly.load_data(settings), torch.device("cpu")
    for decay, vectors_decay in [(True, 0.1), (False, 0.0)]:
        chosen = replace(settings, decay_norm_and_bias=decay)
        model = assembly.build_model(chosen, data, 0, cpu)
        for name in OPTIMIZERS:
            args = {"lr": 0.1, "weight_decay": 0.1}
            groups = assembly.build_optimizer(name, model, chosen, args).param_groups
            decays = {p: group["weight_decay"] for group in groups for p in group["params"]}
            expected = {p: 0.1 if p.ndim > 1 else vectors_decay for p in model.parameters()}
            assert decays == expected


def test_a_batch_larger_than_the_data_is_refused(params):
    with pytest.raises(UsageError, match="batch_size must be at most 1442"):
        train(digits_run(params, batch_size=2000), "test")


def test_an_absent_device_is_refused():
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(UsageError, match=f"device '{absent}' is not present here; present: auto"):
        device.select(absent)


def test_weights_are_safetensors_of_every_parameter(params, tmp_path):
    from safetensors.torch import load_file

    _, model = train(digits_run(params), "test")
    save_weights(model, tmp_path / "w.safetensors")
    loaded = load_file(tmp_path / "w.safetensors")
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_compiled_training_learns_too(params):
    outcome, _ = train(digits_run(params, epochs=10, compile=True), "test")
    assert outcome.test_accuracy > 0.95
