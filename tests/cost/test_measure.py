"""How the kinds of an optimizer's steps weigh in its cost."""

import pytest
import torch
from torch import nn

from optbench.cost import measure
from optbench.cost.measure import Kind, kinds_of
from optbench.optimizers import kfac, sgd


def linear(build, **arguments):
    model = nn.Linear(3, 2)
    return build(model, [{"params": list(model.parameters())}], lr=0.1, **arguments)


def test_an_ordinary_optimizer_has_one_kind_of_step():
    assert kinds_of(linear(sgd.build)) == [Kind("step", 1.0, None)]


@pytest.mark.parametrize(("t_cov", "t_inv"), [(10, 100), (1, 1), (4, 10)])
def test_k_facs_kinds_have_the_shares_of_a_long_run(t_cov, t_inv):
    optimizer = linear(kfac.build, t_cov=t_cov, t_inv=t_inv)
    start = 20 * optimizer.period
    later = [optimizer.kind(step) for step in range(start, start + 7 * optimizer.period)]
    kinds = kinds_of(optimizer)
    assert sum(kind.share for kind in kinds) == pytest.approx(1)
    for kind in kinds:
        assert kind.share == pytest.approx(later.count(kind.name) / len(later))
        assert optimizer.kind(kind.example) == kind.name


def test_control_the_first_steps_have_other_shares():
    optimizer = linear(kfac.build, t_cov=10, t_inv=100)
    early = [optimizer.kind(step) for step in range(100)].count(kfac.INVERSION) / 100
    (share,) = [k.share for k in kinds_of(optimizer) if k.name == kfac.INVERSION]
    assert early > 2 * share


class FakeStepper:
    """Takes as long as the kind of its next step says."""

    def __init__(self, seconds):
        self.seconds, self.kind = seconds, ""

    def go_to(self, kind):
        self.kind = kind.name

    def timed_step(self):
        return self.seconds[self.kind]


def test_a_rare_kind_gets_a_third_of_the_pairs_and_a_common_one_its_share():
    subject, reference = FakeStepper({"plain": 2.0, "rare": 9.0}), FakeStepper({"": 1.0})
    counts = {}
    for kind in (Kind("plain", 0.9, 1), Kind("rare", 0.1, 0)):
        times = measure.time_pairs(subject, reference, kind, name="", pairs=30)
        counts[kind.name] = len(times)
        assert set(times) == {(subject.seconds[kind.name], 1.0)}
    assert counts == {"plain": 27, "rare": 10}


def test_state_bytes_are_those_of_every_tensor():
    optimizer = linear(sgd.build)
    for p in optimizer.param_groups[0]["params"]:
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert measure.state_bytes(optimizer) == 4 * (3 * 2 + 2)  # one momentum each
