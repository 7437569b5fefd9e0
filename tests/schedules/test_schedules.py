"""Against torch's schedulers step by step, and closed forms at the first, middle and last step."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from optbench.schedules import cosine, one_cycle, step

TOTAL = 100
PEAK = 0.3


def torch_values(make, momentum: float = 0.9) -> list[tuple[float, float]]:
    """lr and momentum of each step as torch's scheduler sets them."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK, momentum=momentum)
    scheduler = make(optimizer)
    values = []
    for _ in range(TOTAL):
        values.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        scheduler.step()
    return values[:TOTAL]


def test_cosine_matches_torch():
    expected = torch_values(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=TOTAL))
    for index, (lr, _) in enumerate(expected):
        assert PEAK * cosine.factor(index, TOTAL)[0] == pytest.approx(lr, rel=1e-12)


def test_cosine_closed_forms():
    assert cosine.factor(0, TOTAL) == (1.0, None)
    assert cosine.factor(50, TOTAL)[0] == pytest.approx(0.5, abs=1e-15)
    last = (1 + math.cos(math.pi * 99 / 100)) / 2
    assert cosine.factor(99, TOTAL)[0] == pytest.approx(last, rel=1e-12)
    assert cosine.factor(99, TOTAL)[0] > 0  # the control: zero would need step 100


def test_one_cycle_matches_torch():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK, momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=TOTAL)
    for index in range(TOTAL):
        lr, momentum = one_cycle.factor(index, TOTAL)
        assert PEAK * lr == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        assert momentum == pytest.approx(optimizer.param_groups[0]["momentum"], rel=1e-12)
        optimizer.step()
        if index < TOTAL - 1:
            scheduler.step()


def test_one_cycle_closed_forms():
    assert one_cycle.factor(0, TOTAL) == pytest.approx((1 / 25, 0.95))
    assert one_cycle.factor(29, TOTAL) == pytest.approx((1.0, 0.85))  # 0.3 x 100 - 1
    assert one_cycle.factor(99, TOTAL) == pytest.approx((1 / 25e4, 0.95))


@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_one_cycle_of_very_few_steps_is_finite(total):
    for index in range(total):
        lr, momentum = one_cycle.factor(index, total)
        assert 0 < lr <= 1
        assert 0.85 <= momentum <= 0.95


def test_step_matches_torch():
    expected = torch_values(lambda o: lr_scheduler.MultiStepLR(o, [50, 75], gamma=0.1))
    for index, (lr, _) in enumerate(expected):
        assert PEAK * step.factor(index, TOTAL)[0] == pytest.approx(lr, rel=1e-12)


def test_step_drops_at_the_rounded_milestone():
    assert step.factor(49, TOTAL)[0] == 1.0
    assert step.factor(50, TOTAL)[0] == pytest.approx(0.1)
    assert step.factor(75, TOTAL)[0] == pytest.approx(0.01)
    # 0.5 x 7 = 3.5 rounds to 4, the even neighbour.
    assert [step.factor(i, 7)[0] for i in (3, 4)] == [1.0, pytest.approx(0.1)]
