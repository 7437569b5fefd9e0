"""Against torch's schedulers step by step, and closed forms at the first, middle and last step."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from optbench.schedules import (
    constant,
    cosine,
    linear,
    one_cycle,
    step,
    warmup_cosine,
    wsd,
)
from optbench.training.scheduling import Scheduler

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


# Behind warm-up


def through_scheduler(schedule, total: int = TOTAL, **arguments) -> list[float]:
    """The lr of each step, with the warm-up that the schedule's file declares."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    warmup = {"warmup_fraction": schedule.WARMUP_FRACTION}
    scheduler = Scheduler(
        optimizer, schedule.factor, steps=total, steps_per_epoch=total, **warmup, **arguments
    )
    values = []
    for index in range(total):
        scheduler.apply(index)
        values.append(scheduler.lr)
    return values


@pytest.mark.parametrize("schedule", [warmup_cosine, linear, wsd, constant])
def test_warm_up_is_linear_over_a_twentieth_of_the_steps(schedule):
    lrs = through_scheduler(schedule)
    assert lrs[:5] == pytest.approx([PEAK * k / 5 for k in range(1, 6)])
    assert lrs[5] == pytest.approx(PEAK)
    assert "WARMUP_FRACTION" not in vars(cosine)  # the control: the post's has none


def test_warmup_cosine_closed_forms():
    lrs = through_scheduler(warmup_cosine, 2 * TOTAL)  # 10 of warm-up, 190 of cosine
    assert lrs[0] == pytest.approx(PEAK / 10)
    assert lrs[10 + 95] == pytest.approx(PEAK / 2)
    assert lrs[-1] == pytest.approx(PEAK * (1 + math.cos(math.pi * 189 / 190)) / 2)
    assert warmup_cosine.factor(99, TOTAL, final_factor=0.1)[0] == pytest.approx(0.1, abs=1e-3)


def test_linear_closed_forms_and_torch():
    assert linear.factor(0, TOTAL) == (1.0, None)
    assert linear.factor(50, TOTAL)[0] == pytest.approx(0.5)
    assert linear.factor(99, TOTAL)[0] == pytest.approx(0.01)
    expected = torch_values(
        lambda o: lr_scheduler.LinearLR(o, 1.0, end_factor=0.1, total_iters=TOTAL)
    )
    for index, (lr, _) in enumerate(expected):
        assert PEAK * linear.factor(index, TOTAL, final_factor=0.1)[0] == pytest.approx(lr)


def test_wsd_closed_forms():
    factors = [wsd.factor(index, TOTAL)[0] for index in range(TOTAL)]
    assert factors[:81] == [1.0] * 81
    assert factors[90] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(1 / 20)
    assert factors[81] == pytest.approx(19 / 20)
    ending_high = [wsd.factor(i, TOTAL, final_factor=0.2)[0] for i in (80, 90)]
    assert ending_high == pytest.approx([1.0, 0.6])
    # A decay over all of it is `linear`; over less it is not.
    everywhere = [wsd.factor(index, TOTAL, decay_fraction=1.0)[0] for index in range(TOTAL)]
    assert everywhere == pytest.approx([linear.factor(index, TOTAL)[0] for index in range(TOTAL)])
    assert factors != pytest.approx(everywhere)


def test_constant_stays():
    assert {constant.factor(index, TOTAL) for index in range(TOTAL)} == {(1.0, None)}


@pytest.mark.parametrize("schedule", [warmup_cosine, linear, wsd, constant])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_very_few_steps_have_finite_factors(schedule, total):
    for index in range(total):
        assert 0 < schedule.factor(index, total)[0] <= 1
