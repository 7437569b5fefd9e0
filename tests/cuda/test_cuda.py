"""What is promised of CUDA: `make test-gpu` runs it on one card, in some minutes.

With OPTBENCH_TEST_DEVICE=cpu, which nothing but this file reads, the same tests run on the CPU, all
but what a card alone has. So they are known to run where no card is. An assertion says what to
mend where it fails.
"""

import json
import os
import signal
import statistics
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.conftest import ENVIRONMENT, ROOT, Project, digits_run
from tests.faults.sites import Site, is_killed
from tests.scaling.digits import ROOM, STUDIES, WORKLOAD, copy_of
from tests.scaling.trivial import optbench
from tests.supervision.stops import files
from tests.training.probes import provide_images, trained

from optbench.core.arm import Arm
from optbench.core.run import Budget, Run
from optbench.cost.cost import Cost
from optbench.cost.measure import measure
from optbench.params import plan, signatures
from optbench.params.code import digests
from optbench.params.load import load_params, load_room
from optbench.scaling.resources import GPUS_VARIABLE, this_machine
from optbench.supervision.keeper import VARIABLE, Interrupted
from optbench.supervision.supervise import train
from optbench.training.assembly import prepare
from optbench.training.loop import Learner, Training, take_steps
from optbench.training.train import weights

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("digits")]
DEVICE = os.environ.get("OPTBENCH_TEST_DEVICE", "cuda")
OPTIMIZERS = signatures.names("optimizers")
# Those that ask for a likelihood look at numbers in each step, and so does Prodigy at its distance;
# SOAP and Shampoo decompose matrices.
WAITING = ("prodigy", "shampoo", "soap")
QUEUED = [
    name
    for name in OPTIMIZERS
    if name not in WAITING and signatures.constant("optimizers", name, "LIKELIHOODS") is None
]
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
def test_a_killed_run_ends_with_the_same_bits(tmp_path, optimizer):
    """A process of its own, killed in its 30th step by SIGKILL, and another that goes on."""
    settings = {"budget": Budget(steps=44), "device": DEVICE}
    whole = Site(tmp_path / "whole", **settings).finish(optimizer)
    site = Site(tmp_path / "killed", **settings)
    code, output = site.run(optimizer, failpoint=("step", 30), **{VARIABLE: "0"})
    assert is_killed(code), f"the run ended before it was killed:\n{output}"
    code, output = site.run(optimizer)
    assert code == 0, output
    assert "goes on after step" in output, (
        f"the second process began anew: the fingerprint is not the first one's, or no checkpoint "
        f"was written, see supervision/identity.py:\n{output}"
    )
    assert site.digests() == whole, (
        "a run that goes on in another process differs: its state is incomplete, see "
        "supervision/checkpoint.py, or the card's algorithms are chosen anew in each process"
    )


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
    assert outcome.diverged_at_step is None, "a loss that is not finite: does the CPU give it too?"
    assert outcome.history[-1].train_loss < outcome.history[0].train_loss, "it learns nothing"
    assert outcome.fingerprint["device"].startswith(DEVICE), "it trained elsewhere: device.select"


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ten_steps_of_resnet18(monkeypatch, optimizer):
    outcome = trained(network_run(monkeypatch, "cifar10-resnet18", optimizer, steps=10))
    assert outcome.diverged_at_step is None, "a loss that is not finite: does the CPU give it too?"
    assert outcome.steps == 10


def test_a_step_is_the_cpu_s_but_for_rounding(monkeypatch):
    """The first three losses; torch's default would round convolutions to TensorFloat-32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    here, cpu = (
        trained(small("sgd", device=device, budget=Budget(steps=3))).history
        for device in (DEVICE, "cpu")
    )
    for point, other in zip(here, cpu, strict=True):
        assert point.train_loss == pytest.approx(other.train_loss, rel=1e-4), (
            "a kernel or a copy is wrong: compare layer by layer, in float64"
        )
    assert cpu[0].train_loss != pytest.approx(cpu[-1].train_loss, rel=1e-4)  # the control
    assert not torch.backends.cudnn.allow_tf32


def test_bfloat16_is_near_float32(monkeypatch):
    run = network_run(monkeypatch, "cifar10-resnet9", "sgd", steps=1)
    losses = [
        trained(replace(run, settings=replace(run.settings, precision=precision)))
        .history[0]
        .train_loss
        for precision in ("bf16", "fp32")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=BF16), (
        "bfloat16 is too far from float32: is a loss or a norm computed under autocast?"
    )
    assert losses[0] != losses[1], "autocast does nothing: both have the same arithmetic"


@pytest.mark.slow
def test_a_compiled_network_learns_the_same_but_for_rounding(monkeypatch):
    run = network_run(monkeypatch, "cifar10-resnet9", "sgd", steps=5)
    compiled = replace(run, settings=replace(run.settings, compile=True))
    first, last = (trained(r).history[0].train_loss for r in (run, compiled))
    assert last == pytest.approx(first, abs=BF16), "leave settings.compile off on this card"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_a_step_costs(optimizer):
    """Times and memory in the relations that they must have, whatever the card."""
    cost, sgd = (measured(name) for name in (optimizer, "sgd"))
    assert cost.step_time_ratio_q1 <= cost.step_time_ratio <= cost.step_time_ratio_q3
    assert cost.step_time_s > 0, "time is taken before the card has done its work"
    parameters = sum(p.numel() for p in prepare(small("sgd")).learner.model.parameters())
    assert sgd.optimizer_state_bytes >= 4 * parameters  # its momentum, in float32
    assert cost.peak_memory_bytes > cost.optimizer_state_bytes + 4 * parameters, (
        "a peak below what is alive all the time: see CudaBytes in cost/peak_memory.py"
    )
    if optimizer in ("adam", "adamw", "radam"):
        assert cost.optimizer_state_bytes >= 2 * 4 * parameters
    assert statistics.median(sgd.ratio_by_kind.values()) == pytest.approx(1.0, abs=0.5), (
        "SGD beside itself takes another time: is the card shared with other work?"
    )


def measured(optimizer: str) -> Cost:
    run, reference = small(optimizer), small("sgd")
    tiny = {"lr": 1e-6}
    return measure(
        replace(run, optimizer_args={**run.optimizer_args, **tiny}),
        replace(reference, optimizer_args={**reference.optimizer_args, **tiny}),
        pairs=6,
    )


class Waits:
    """A watcher that forbids waiting for the card after some steps, and may read a number then."""

    def __init__(self, training: Training, *, read: bool) -> None:
        self.training, self.read = training, read

    def step(self, step: int) -> None:
        if step == 3 and DEVICE == "cuda":  # optimizers have made their state
            torch.cuda.set_sync_debug_mode("error")
        if step == 6 and self.read:
            self.training.course.losses[-1].item()

    def scored(self) -> None:
        pass

    def point(self, point, diagnostics) -> None:
        pass


@pytest.mark.parametrize("optimizer", QUEUED)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_steps_do_not_wait_for_the_card(optimizer, precision):
    """An epoch of 22 steps up to its point, once its tables are on the card."""
    take_an_epoch(optimizer, precision, read=False)


@pytest.mark.usefixtures("real_card")
def test_control_a_number_that_is_read_in_a_step_is_noticed():
    with pytest.raises(RuntimeError, match="synchroniz"):
        take_an_epoch("sgd", "fp32", read=True)


def take_an_epoch(optimizer: str, precision: str, *, read: bool) -> None:
    """RuntimeError: the host waits; its traceback has the line of the step that does."""
    training = prepare(small(optimizer, precision=precision, budget=Budget(epochs=20)))
    try:
        take_steps(training, [Waits(training, read=read)])
    finally:
        if DEVICE == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    assert training.step == len(training.train)


@pytest.mark.usefixtures("real_card")
def test_data_and_weights_are_on_the_card():
    training = prepare(small("sgd"))
    learner = training.learner
    inputs, _ = next(learner.task.train.epoch(0))
    assert inputs.device.type == "cuda", "images are copied in each step: see DeviceImages"
    assert {p.device.type for p in learner.model.parameters()} == {"cuda"}
    assert weights(training)  # on their way to a file they are the CPU's


@pytest.mark.slow
def test_two_cells_share_a_card_if_they_are_told_to(project, tmp_path, monkeypatch):
    """Refused without --oversubscribe; with it, the bits of cells that have the card alone."""
    gpu = this_machine().gpus[0] if DEVICE == "cuda" else "none"  # CUDA then sees none
    monkeypatch.setitem(ENVIRONMENT, GPUS_VARIABLE, gpu)
    project.set("settings.budget", {"epochs": 2}, WORKLOAD)
    project.run("dvc", "repro", f"{ROOM}:validate")
    alone = copy_of(project.folder, tmp_path / "alone")
    alone.run("dvc", "repro", *STUDIES)
    before = cells(project)
    refused = project.run(*optbench("--jobs", "2", *STUDIES), check=False)
    assert refused.returncode == 1
    assert "here are 1: take --jobs 1, or --oversubscribe to share" in refused.stdout
    assert cells(project) == before
    project.run(*optbench("--jobs", "2", "--oversubscribe", *STUDIES))
    assert cells(project) == cells(alone) != before, (
        "cells that share a card differ from those that have it alone: an algorithm is chosen by "
        "the memory that is free, see CUBLAS_WORKSPACE_CONFIG in training/device.py"
    )
    for name, content in cells(project).items():
        if name.endswith("metrics.json"):
            assert json.loads(content)["fingerprint"]["device"].startswith(DEVICE)


def cells(project: Project) -> dict[str, bytes]:
    """The files of the cells' results."""
    folder = project.folder / f"results/{WORKLOAD}/suite"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
