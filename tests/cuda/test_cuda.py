"""What is promised of CUDA: `make test-gpu` runs it on one card, in some minutes.

With OPTBENCH_TEST_DEVICE=cpu the same tests run on the CPU, all but those of what a card alone
has. So they are known to run where no card is.
"""

import os
import signal
import statistics
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.conftest import ROOT, digits_run
from tests.supervision.stops import files
from tests.training.probes import provide_images, trained

from optbench.core.arm import Arm
from optbench.core.errors import UsageError
from optbench.core.run import Budget, Run
from optbench.cost.cost import Cost
from optbench.cost.measure import measure
from optbench.params import plan, signatures
from optbench.params.code import digests
from optbench.params.load import load_params, load_room
from optbench.scaling.resources import GPUS_VARIABLE, Need, this_machine
from optbench.supervision.keeper import Interrupted
from optbench.supervision.supervise import train
from optbench.training.assembly import prepare
from optbench.training.loop import Learner
from optbench.training.train import weights

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("digits")]
DEVICE = os.environ.get("OPTBENCH_TEST_DEVICE", "cuda")
OPTIMIZERS = signatures.names("optimizers")
FIRST_ORDER = ("adam", "adamw", "radam", "sgd")  # K-FAC and NGD look at numbers in each step
BF16 = 0.05  # of a first loss near 2.3, over batches of 64


@pytest.fixture(autouse=True)
def card() -> None:
    """A card, or what stands for one; a test that cannot have it is skipped aloud."""
    if DEVICE == "cuda" and not torch.cuda.is_available():
        warnings.warn("no GPU here: what is promised of CUDA stays untested", stacklevel=2)
        pytest.skip("no GPU that CUDA can use")


@pytest.fixture
def real_card() -> None:
    """A test of what CUDA alone has."""
    if DEVICE != "cuda":
        pytest.skip("of a card alone")


def small(optimizer: str, **settings: object) -> Run:
    """A run of digits-cnn, two epochs long."""
    return digits_run(optimizer, **{"device": DEVICE, **settings})


def network_run(monkeypatch: pytest.MonkeyPatch, workload: str, optimizer: str, steps: int) -> Run:
    """A run of a workload's network and rows on 32 x 32 images of noise, 64 at a time."""
    provide_images(monkeypatch, 32, 32)
    with monkeypatch.context() as patch:
        patch.chdir(ROOT)
        params = load_params()
        room = load_room(workload, params)
        run = plan.resolve(room, params, Arm(optimizer, "cosine"), code=digests())
    settings = replace(
        run.settings, dataset="noise", batch_size=64, device=DEVICE, budget=Budget(steps=steps)
    )
    return replace(run, settings=settings)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_run_gives_the_same_bits(optimizer, precision):
    run = small(optimizer, precision=precision)
    first = files(run)
    assert files(run) == first, (
        "two runs differ: find the operation that is not deterministic with "
        "torch.use_deterministic_algorithms(True) and CUBLAS_WORKSPACE_CONFIG=:4096:8"
    )
    assert files(replace(run, seed=1)) != first  # the control


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_stopped_run_ends_with_the_same_bits(monkeypatch, optimizer):
    """Stopped by a signal in its 13th step, and run again."""
    run = small(optimizer, precision="bf16")
    whole = files(run)
    original, taken = Learner.step, []

    def step(self, batch):
        taken.append(batch)
        if len(taken) == 13:
            signal.raise_signal(signal.SIGTERM)
        return original(self, batch)

    monkeypatch.setattr(Learner, "step", step)
    with pytest.raises(Interrupted):
        train(run, "test", Path("kept"))
    assert files(run, Path("kept")) == whole, (
        "a run that goes on from its checkpoint differs: a tensor of the state is kept in another "
        "type or on another device, see supervision/state.py"
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_cell_of_resnet9_learns(monkeypatch, optimizer):
    """Noise whose class shows in its brightness: a network that learns tells four classes apart."""
    outcome = trained(network_run(monkeypatch, "cifar10-resnet9", optimizer, steps=60))
    assert outcome.diverged_at_step is None
    assert outcome.history[-1].train_loss < outcome.history[0].train_loss
    assert outcome.fingerprint["device"].startswith(DEVICE)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ten_steps_of_resnet18(monkeypatch, optimizer):
    outcome = trained(network_run(monkeypatch, "cifar10-resnet18", optimizer, steps=10))
    assert outcome.diverged_at_step is None
    assert outcome.steps == 10


def test_a_step_is_the_cpu_s_but_for_rounding():
    """Float32 without TensorFloat-32: the first three losses agree to five digits."""
    here, cpu = (
        trained(small("sgd", device=device, budget=Budget(steps=3))).history
        for device in (DEVICE, "cpu")
    )
    for point, other in zip(here, cpu, strict=True):
        assert point.train_loss == pytest.approx(other.train_loss, rel=1e-5), (
            "CUDA's float32 is not the CPU's: is TensorFloat-32 on, or a kernel wrong?"
        )
    assert cpu[0].train_loss != pytest.approx(cpu[-1].train_loss, rel=1e-5)  # the control


def test_bfloat16_is_near_float32(monkeypatch):
    run = network_run(monkeypatch, "cifar10-resnet9", "sgd", steps=1)
    losses = [
        trained(replace(run, settings=replace(run.settings, precision=precision)))
        .history[0]
        .train_loss
        for precision in ("bf16", "fp32")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=BF16)
    assert losses[0] != losses[1]  # the control: another arithmetic


@pytest.mark.slow
def test_a_compiled_network_learns_the_same_but_for_rounding(monkeypatch):
    run = network_run(monkeypatch, "cifar10-resnet9", "sgd", steps=5)
    compiled = replace(run, settings=replace(run.settings, compile=True))
    first, last = (trained(r).history[0].train_loss for r in (run, compiled))
    assert last == pytest.approx(first, abs=BF16)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_a_step_costs(optimizer):
    """Times and memory in the relations that they must have, whatever the card."""
    cost, sgd = (measured(name) for name in (optimizer, "sgd"))
    assert cost.step_time_ratio_q1 <= cost.step_time_ratio <= cost.step_time_ratio_q3
    assert cost.step_time_s > 0
    parameters = sum(p.numel() for p in prepare(small("sgd")).learner.model.parameters())
    assert sgd.optimizer_state_bytes >= 4 * parameters  # its momentum, in float32
    assert cost.peak_memory_bytes > cost.optimizer_state_bytes + 4 * parameters
    if optimizer in ("adam", "adamw", "radam"):
        assert cost.optimizer_state_bytes >= 2 * 4 * parameters
    assert statistics.median(sgd.ratio_by_kind.values()) == pytest.approx(1.0, abs=0.5)


def measured(optimizer: str) -> Cost:
    run, reference = small(optimizer), small("sgd")
    tiny = {"lr": 1e-6}
    return measure(
        replace(run, optimizer_args={**run.optimizer_args, **tiny}),
        replace(reference, optimizer_args={**reference.optimizer_args, **tiny}),
        pairs=6,
    )


@pytest.mark.usefixtures("real_card")
@pytest.mark.parametrize("optimizer", FIRST_ORDER)
def test_steps_do_not_wait_for_the_card(optimizer):
    """Once an epoch has begun, the host runs ahead; a number that is read in a step is noticed."""
    training = prepare(small(optimizer))
    training.learner.model.train()
    batches = training.train.epoch(0)
    for _ in range(3):  # optimizers make their state
        training.learner.step(next(batches))
    try:
        torch.cuda.set_sync_debug_mode("error")
        training.scheduler.apply(3)
        loss, _ = training.learner.step(next(batches))
        with pytest.raises(RuntimeError, match="synchroniz"):  # the control
            loss.item()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.usefixtures("real_card")
def test_data_and_weights_are_on_the_card():
    learner = prepare(small("sgd")).learner
    inputs, _ = next(learner.task.train.epoch(0))
    assert inputs.device.type == "cuda"
    assert {p.device.type for p in learner.model.parameters()} == {"cuda"}
    assert weights(learner.model)  # on their way to a file they are the CPU's


@pytest.mark.usefixtures("real_card")
def test_two_jobs_on_one_card_are_refused(monkeypatch):
    machine = this_machine()
    monkeypatch.setenv(GPUS_VARIABLE, machine.gpus[0])
    one = this_machine()
    one.require_room(jobs=1, need=Need(gpu=True))
    with pytest.raises(UsageError, match="take --jobs 1, or --oversubscribe to share"):
        one.require_room(jobs=2, need=Need(gpu=True))
