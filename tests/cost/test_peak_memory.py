"""The memory of a step, on every device by the same definition, against sums made by hand.

In units of a parameter of SIZE float32 numbers; losses and norms are a few scalars beside them.
"""

import warnings
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from tests.conftest import digits_run
from torch import Tensor, nn

from optbench.core.world import ALONE, WHOLE, Share
from optbench.cost import peak_memory
from optbench.cost.live_bytes import LiveBytes
from optbench.training.loop import Learner

SIZE = 1 << 18
UNIT = 4 * SIZE
SCALARS = 64  # bytes
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Shallow(nn.Module):
    """y = w x. Saves nothing but its input."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(SIZE))

    def forward(self, x: Tensor) -> Tensor:
        return self.w * x


class Deep(Shallow):
    """y = exp exp w x. Saves the result of each exp."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).exp().exp()


class Task:
    """Data of ten units, and batches of one; the loss is the sum of outputs."""

    likelihood = "none"

    def __init__(self, device: torch.device) -> None:
        self.data = torch.ones(10 * SIZE, device=device)
        self.train = self

    def epoch(self, epoch: int, start: int = 0, share: Share = WHOLE) -> Iterator[tuple[Tensor]]:
        yield (self.data[:SIZE] * 2,)

    def inputs(self, batch: tuple[Tensor]) -> Tensor:
        return batch[0]

    targets = inputs

    def loss(self, outputs: Tensor, batch: tuple[Tensor]) -> Tensor:
        return outputs.sum()


# A network, an optimizer, and the units that are alive when most are: w itself is always one.
STEPS = {
    "gradient": (Shallow, {"momentum": 0.0}, 2),
    "and momentum": (Shallow, {"momentum": 0.9}, 3),
    # While L2 decay is added to the gradient, the sum is a temporary.
    "and a temporary": (Shallow, {"momentum": 0.9, "weight_decay": 0.1}, 4),
    # Momentum, both results of exp, and the gradient that goes back through the second.
    "and activations": (Deep, {"momentum": 0.9}, 5),
}


def learner(network: type[nn.Module], task: Task, device: torch.device, **args: float) -> Learner:
    model = network().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, foreach=False, **args)
    return Learner(
        model=model, forward=model, averaging=model, optimizer=optimizer, task=task,
        precision="fp32", device=device, world=ALONE,
    )  # fmt: skip


def measured(monkeypatch, step: str, task: Task, device: torch.device, *, on=None) -> int:
    """The peak that is measured on a device, the network's being `on` where that is another."""
    network, args, _ = STEPS[step]
    monkeypatch.setattr(
        peak_memory, "build_learner", lambda *_: learner(network, task, on or device, **args)
    )
    return peak_memory.peak_memory_bytes(digits_run(), task, device)


def trained(task: Task, device: torch.device) -> Learner:
    """Another learner, that is still there; more has been alive than is ever measured here."""
    other = learner(Deep, task, device, momentum=0.9)
    other.step(next(task.epoch(0)))
    torch.zeros(50 * SIZE, device=device)
    return other


@pytest.fixture
def allocator(monkeypatch) -> Iterator[LiveBytes]:
    """CUDA's counts, made up: of all tensors that are alive, whoever made them."""
    with LiveBytes() as live:
        fakes = SimpleNamespace(
            memory_allocated=lambda device: live.now,
            max_memory_allocated=lambda device: live.peak,
            reset_peak_memory_stats=lambda device: live.reset_peak(),
        )
        for name, fake in vars(fakes).items():
            monkeypatch.setattr(torch.cuda, name, fake)
        yield live


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_needs_on_the_cpu(monkeypatch, step):
    task = Task(CPU)
    other = trained(task, CPU)
    peak = measured(monkeypatch, step, task, CPU)
    assert 0 < peak - STEPS[step][2] * UNIT <= SCALARS
    assert other.optimizer.state


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_needs_by_cudas_counts_is_the_same(monkeypatch, step, allocator):
    """Data, batch, and another learner are there, and counted by the allocator."""
    task = Task(CPU)
    other = trained(task, CPU)
    before = allocator.now
    peak = measured(monkeypatch, step, task, CUDA, on=CPU)
    assert 0 < peak - STEPS[step][2] * UNIT <= SCALARS
    assert before >= 13 * UNIT  # data; parameter, gradient and momentum of the other
    assert allocator.peak == peak + before + UNIT  # control: without what is taken away
    assert other.optimizer.state


def test_what_is_left_over_of_others_is_gone_before(monkeypatch, allocator):
    """Else it would be freed meanwhile, and seem to be memory that the subject does not need."""
    task = Task(CPU)
    other = trained(task, CPU)
    other.model.cycle = [other.model]
    del other
    assert allocator.now >= 12 * UNIT  # its parameter and gradient are still there
    peak = measured(monkeypatch, "and momentum", task, CUDA, on=CPU)
    assert allocator.now < 11 * UNIT
    assert 0 < peak - 3 * UNIT <= SCALARS


class Periodic(torch.optim.SGD):
    """Every fourth step holds seven units more."""

    period = 4

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.steps = 1

    def kind(self, step: int) -> str:
        return "plain" if step % self.period else "rare"

    def step(self, closure):
        loss = closure()
        held = [torch.zeros(SIZE) for _ in range(0 if self.steps % self.period else 7)]
        assert held is not None
        self.steps += 1
        return loss


def test_the_hungriest_kind_of_step_counts(monkeypatch):
    """Though it is none of the first."""
    task = Task(CPU)

    def build(*_: object) -> Learner:
        model = Shallow()
        return Learner(
            model=model, forward=model, averaging=model, world=ALONE,
            optimizer=Periodic(model.parameters(), lr=0.1), task=task, precision="fp32", device=CPU,
        )  # fmt: skip

    monkeypatch.setattr(peak_memory, "build_learner", build)
    peak = peak_memory.peak_memory_bytes(digits_run(), task, CPU)
    assert 0 < peak - 9 * UNIT <= SCALARS


@pytest.fixture
def gpu() -> torch.device:
    """A GPU; a test that cannot have it is skipped aloud."""
    if not torch.cuda.is_available():
        warnings.warn("no GPU here: CUDA's own counts of memory stay untested", stacklevel=2)
        pytest.skip("no GPU that CUDA can use")
    return CUDA


@pytest.mark.cuda
@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_needs_on_a_gpu(monkeypatch, step, gpu):
    """Its allocator rounds each scalar up to 512 bytes."""
    task = Task(gpu)
    other = trained(task, gpu)
    peak = measured(monkeypatch, step, task, gpu)
    assert 0 < peak - STEPS[step][2] * UNIT <= 128 * SCALARS
    assert other.optimizer.state
