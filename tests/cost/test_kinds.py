"""The kinds of an optimizer's steps, and how often each occurs."""

import pytest
import torch
from torch import nn

from optbench.cost.kinds import Kind, kinds_of
from optbench.optimizers import kfac, sgd


def linear(build, **arguments) -> torch.optim.Optimizer:
    model = nn.Linear(3, 2)
    return build(model, [{"params": list(model.parameters())}], lr=0.1, **arguments)


def test_an_ordinary_optimizer_has_a_single_kind_of_step():
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


def test_the_next_step_is_of_the_kind_that_is_asked_for():
    optimizer = linear(kfac.build, t_cov=4, t_inv=10)
    for kind in kinds_of(optimizer):
        kind.prepare(optimizer)
        assert optimizer.kind(optimizer.steps) == kind.name
    ordinary = linear(sgd.build)
    kinds_of(ordinary)[0].prepare(ordinary)
    assert not hasattr(ordinary, "steps")
