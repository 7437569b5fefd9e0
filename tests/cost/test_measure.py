"""What a step costs: how kinds of steps weigh, and that nothing but the subject counts."""

from collections import Counter

import pytest
import torch
from tests.conftest import digits_run
from torch import nn

from optbench.cost import measure
from optbench.cost.kinds import Kind, kinds_of
from optbench.cost.peak_memory import peak_memory_bytes
from optbench.optimizers import sgd, shampoo, soap
from optbench.training.assembly import build_task

TINY = {"lr": 1e-6, "weight_decay": 1e-6}


def probe(optimizer: str):
    return digits_run(optimizer, args=TINY, device="cpu")


class FakeStepper:
    """Takes as long as the kind of its next step says."""

    def __init__(self, seconds):
        self.seconds, self.kind = seconds, ""

    def go_to(self, kind):
        self.kind = kind.name

    def timed_step(self):
        return self.seconds[self.kind]


def test_a_rare_kind_gets_a_third_of_the_pairs_and_a_common_one_its_share():
    subject, reference = FakeStepper({"plain": 0.2, "rare": 0.9}), FakeStepper({"": 0.1})
    counts = {}
    for kind in (Kind("plain", 0.9, 1), Kind("rare", 0.1, 0)):
        times = measure.time_pairs(subject, reference, kind, name="", pairs=30)
        counts[kind.name] = len(times)
        assert set(times) == {(subject.seconds[kind.name], 0.1)}
    assert counts == {"plain": 27, "rare": 10}


def test_state_bytes_are_those_of_every_tensor():
    model = nn.Linear(3, 2)
    optimizer = sgd.build(model, [{"params": list(model.parameters())}], lr=0.1)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert measure.state_bytes(optimizer) == 4 * (3 * 2 + 2)  # a momentum each


def stepped(build, steps: int, **arguments):
    """An optimizer of one 4 x 3 matrix after some steps."""
    p = nn.Parameter(torch.ones(4, 3))
    optimizer = build(nn.Module(), [{"params": [p], "role": "hidden matrix"}], lr=0.1, **arguments)
    for step in range(steps):
        p.grad = torch.arange(12.0).sin().view(4, 3) + step
        optimizer.step(lambda: torch.zeros(()))
    return optimizer


def test_state_bytes_are_those_of_nested_tensors_too():
    """Shampoo's state holds its factors in lists: [4, 4] and [3, 3], and as many roots."""
    matrices = 2 * (4 * 4 + 3 * 3)
    assert measure.state_bytes(stepped(shampoo.build, 1)) == 4 * (2 * 12 + matrices)


@pytest.mark.parametrize(
    ("build", "rare", "matrices"),
    [(soap.build, "eigenbases", "Q"), (shampoo.build, "roots", "roots")],
)
def test_a_step_of_the_rare_kind_is_the_one_that_decomposes(build, rare, matrices):
    """Going to a kind's step makes the next one of that kind."""
    for kind in kinds_of(stepped(build, 2, precondition_frequency=5)):
        optimizer = stepped(build, 2, precondition_frequency=5)
        kind.prepare(optimizer)
        (state,) = optimizer.state.values()
        before = [m.clone() for m in state[matrices]]
        (p,) = optimizer.param_groups[0]["params"]
        p.grad = torch.arange(12.0).cos().view(4, 3)
        optimizer.step(lambda: torch.zeros(()))
        changed = any(not torch.equal(a, b) for a, b in zip(before, state[matrices], strict=True))
        assert changed == (kind.name == rare)
        assert kind.share == pytest.approx({rare: 0.2, "plain": 0.8}[kind.name])


def test_a_reference_shares_the_data_and_takes_no_part_in_the_memory(digits, monkeypatch):
    """K-FAC would take three times as much."""
    run, built = probe("adam"), Counter()
    task = build_task(run.settings, run.seed, torch.device("cpu"))
    alone = peak_memory_bytes(run, task, torch.device("cpu"))

    def counting(*args, **kwargs):
        built["task"] += 1
        return build_task(*args, **kwargs)

    monkeypatch.setattr(measure, "build_task", counting)
    costs = [measure.measure(run, probe(name), pairs=4) for name in ("sgd", "kfac")]
    assert built["task"] == len(costs)
    assert {cost.peak_memory_bytes for cost in costs} == {alone}
    for cost in costs:
        assert cost.pairs == 4
        assert cost.steps_per_epoch == 1442 // run.settings.batch_size
        assert set(cost.ratio_by_kind) == {"step"}
        assert cost.step_time_ratio_q1 <= cost.step_time_ratio <= cost.step_time_ratio_q3
    control = measure.measure(probe("kfac"), run, pairs=6)
    assert control.peak_memory_bytes > 2 * alone
    assert set(control.ratio_by_kind) == {"plain", "curvature", "inversion"}


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.5, 30), (1.0, 30), (1.5, 21), (10.0, 5), (60.0, 5)]
)
def test_pairs_of_steps_end_after_a_minute_but_five_are_timed(seconds, expected):
    steppers = FakeStepper({"plain": seconds}), FakeStepper({"": seconds})
    times = measure.time_pairs(*steppers, Kind("plain", 1.0, 0), name="", pairs=30)
    assert times == [(seconds, seconds)] * expected


def test_steppers_of_a_task_see_the_same_batches_again_after_an_epoch(digits):
    run = probe("sgd")
    task = build_task(run.settings, run.seed, torch.device("cpu"))
    steppers = [measure.Stepper(run, task, torch.device("cpu")) for _ in range(2)]
    batches = [[stepper.next_batch() for _ in range(len(task.train) + 1)] for stepper in steppers]
    for several in zip(*batches, strict=True):
        assert torch.equal(several[0][0], several[1][0])
    assert torch.equal(batches[0][0][0], batches[0][-1][0])
    assert not torch.equal(batches[0][0][0], batches[0][1][0])  # control
