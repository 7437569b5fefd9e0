import pytest
import torch

from optbench.core.errors import UsageError
from optbench.schedules import cosine, one_cycle, step
from optbench.training.scheduling import Scheduler


def an_optimizer(kind=torch.optim.SGD, **arguments):
    return kind([torch.zeros(1, requires_grad=True)], lr=0.5, **arguments)


def lrs(scheduler: Scheduler, steps: int) -> list[float]:
    values = []
    for index in range(steps):
        scheduler.apply(index)
        values.append(scheduler.lr)
    return values


def test_warm_up_rises_linearly_then_follows_the_schedule():
    scheduler = Scheduler(
        an_optimizer(), cosine.factor, steps=100, steps_per_epoch=10, warmup_fraction=0.1
    )
    values = lrs(scheduler, 100)
    assert values[:10] == pytest.approx([0.5 * (i + 1) / 10 for i in range(10)])
    assert values[10:] == pytest.approx([0.5 * cosine.factor(i, 90)[0] for i in range(90)])


def test_stepping_once_an_epoch_holds_the_value_within_it():
    scheduler = Scheduler(
        an_optimizer(), cosine.factor, steps=20, steps_per_epoch=5, stepping="epoch"
    )
    expected = [0.5 * cosine.factor(epoch, 4)[0] for epoch in range(4) for _ in range(5)]
    assert lrs(scheduler, 20) == pytest.approx(expected)


def test_an_epoch_that_is_cut_short_has_a_value_of_its_own():
    scheduler = Scheduler(
        an_optimizer(), cosine.factor, steps=12, steps_per_epoch=5, stepping="epoch"
    )
    expected = [0.5 * cosine.factor(epoch, 3)[0] for epoch in (0, 1, 2) for _ in range(5)]
    assert lrs(scheduler, 12) == pytest.approx(expected[:12])


def test_warm_up_by_epochs_rises_from_epoch_to_epoch():
    scheduler = Scheduler(
        an_optimizer(), cosine.factor, steps=20, steps_per_epoch=5, stepping="epoch",
        warmup_fraction=0.5,
    )  # fmt: skip
    assert lrs(scheduler, 10) == pytest.approx([0.25] * 5 + [0.5] * 5)
    assert lrs(scheduler, 20)[10:] == pytest.approx([0.5] * 5 + [0.5 * cosine.factor(1, 2)[0]] * 5)


@pytest.mark.parametrize(("steps", "is_refused"), [(1, True), (2, False)])
def test_warm_up_must_leave_a_step(steps, is_refused):
    def build():
        Scheduler(
            an_optimizer(), cosine.factor, steps=steps, steps_per_epoch=5, warmup_fraction=0.6
        )

    if not is_refused:
        build()
        return
    with pytest.raises(UsageError, match="leaves none of 1 steps"):
        build()


def test_per_epoch_cosine_matches_torchs_scheduler_stepped_each_epoch():
    optimizer = an_optimizer()
    torchs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    expected = []
    for _ in range(4):
        expected += [optimizer.param_groups[0]["lr"]] * 5
        optimizer.step()
        torchs.step()
    ours = Scheduler(an_optimizer(), cosine.factor, steps=20, steps_per_epoch=5, stepping="epoch")
    assert lrs(ours, 20) == pytest.approx(expected)


def test_one_cycle_moves_momentum_or_beta1():
    for kind, read in [
        (torch.optim.SGD, lambda group: group["momentum"]),
        (torch.optim.Adam, lambda group: group["betas"][0]),
    ]:
        optimizer = an_optimizer(kind)
        scheduler = Scheduler(optimizer, one_cycle.factor, steps=10, steps_per_epoch=10)
        scheduler.apply(2)  # 0.3 x 10 - 1: the peak
        assert read(optimizer.param_groups[0]) == pytest.approx(0.85)
        assert scheduler.momentum == pytest.approx(0.85)
    assert optimizer.param_groups[0]["betas"][1] == 0.999


def test_three_betas_keep_all_but_the_first():
    optimizer = an_optimizer(torch.optim.Adam)
    optimizer.param_groups[0]["betas"] = (0.9, 0.99, 0.999)
    scheduler = Scheduler(optimizer, one_cycle.factor, steps=10, steps_per_epoch=10)
    scheduler.apply(2)
    assert optimizer.param_groups[0]["betas"] == (pytest.approx(0.85), 0.99, 0.999)


def test_every_group_keeps_its_own_peak():
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [p]} for p in parameters], lr=0.5)
    optimizer.param_groups[1]["lr"] = 0.05
    scheduler = Scheduler(optimizer, step.factor, steps=8, steps_per_epoch=8)
    scheduler.apply(7)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.005, 0.0005])


def test_a_schedule_of_momentum_refuses_an_optimizer_without_any():
    with pytest.raises(UsageError, match="neither momentum nor betas"):
        Scheduler(an_optimizer(torch.optim.Adagrad), one_cycle.factor, steps=10, steps_per_epoch=10)
