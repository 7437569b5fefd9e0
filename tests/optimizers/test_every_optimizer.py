"""What holds of every optimizer in the folder, through the real loop on digits."""

import copy
import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from tests.optimizers.runs import OPTIMIZERS, STEPS, run_of
from tests.supervision.stops import step_until
from torch import Tensor, nn
from torch.nn import functional as F

from optbench.core import registry
from optbench.core.run import Budget, Run
from optbench.optimizers import schedule_free
from optbench.params import signatures
from optbench.supervision.checkpoint import put, state_of
from optbench.supervision.state import pack, unpack
from optbench.training.assembly import packages, prepare
from optbench.training.loop import Learner, Training, fit

pytestmark = pytest.mark.usefixtures("digits")
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


def fitted(run: Run) -> Training:
    training = prepare(run)
    fit(training)
    return training


# The norm of the gradient


def true_norm(model: nn.Module, batch: tuple[Tensor, Tensor]) -> float:
    """By autograd, in float64, of a copy whose statistics may move."""
    model = copy.deepcopy(model)
    loss = F.cross_entropy(model(batch[0]), batch[1])
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([g.flatten() for g in gradients]).double().norm().item()


@every_optimizer
def test_the_gradient_norm_of_the_history_is_that_at_the_weights_before_the_step(monkeypatch, name):
    expected, afterwards, original = [], [], Learner.step

    def noted(self, batch):
        expected.append(true_norm(self.model, batch))
        result = original(self, batch)
        afterwards.append(self.gradient_norm().item())
        return result

    monkeypatch.setattr(Learner, "step", noted)
    training = fitted(run_of(name))
    told = [point.gradient_norm for point in training.course.history]
    assert told == pytest.approx(expected, rel=1e-4)
    assert max(told) > 1.05 * min(told)
    if name == "schedule_free":  # the control: its step overwrites gradients
        assert afterwards != pytest.approx(expected, rel=0.1)


# Weight decay

LR, DECAY = 0.1, 0.1
# Where the parameters move by lr x something from the start, lr is over that.
SCALED = {"prodigy": 1e-6}
# SOAP's first step moves nothing, and it decays what has moved.
AFTER = ("soap",)
# Its first step is SGD's, where both forms are one; test_first_order.py tells them apart.
SGDS = ("radam",)


def weights_after(name: str, decay: float, **settings) -> list[Tensor]:
    """The parameters after the first step that moves them, at lr = LR."""
    args = {"lr": LR / SCALED.get(name, 1.0), "weight_decay": decay}
    training = prepare(run_of(name, args, **settings))
    training.learner.model.train()
    batch = next(iter(training.train.epoch(0)))
    for _ in range(2 if name in AFTER else 1):
        training.learner.step(batch)
    return [p.detach().clone() for p in training.learner.model.parameters()]


def start(name: str) -> list[Tensor]:
    return [p.detach().clone() for p in prepare(run_of(name)).learner.model.parameters()]


def l2_weights(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Tensor]:
    """Those of a step whose gradient has decay x weights in it."""
    original = Learner.backward

    def with_l2(self, batch):
        loss = original(self, batch)
        for p in self.model.parameters():
            p.grad.add_(p.detach(), alpha=DECAY)
        return loss

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "backward", with_l2)
        return weights_after(name, 0.0)


def distance(a: list[Tensor], b: list[Tensor]) -> float:
    return max((x - y).abs().max().item() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "lamb"])
def test_weight_decay_has_the_form_that_the_file_declares(monkeypatch, name):
    plain, decayed = weights_after(name, 0.0), weights_after(name, DECAY)
    shrunk = plain if name in AFTER else start(name)
    forms = {
        "decoupled": [p - LR * DECAY * w for p, w in zip(plain, shrunk, strict=True)],
        "L2": l2_weights(monkeypatch, name),
    }
    declared = forms.pop(signatures.decay_form(name))
    (other,) = forms.values()
    assert distance(decayed, declared) < 2e-6  # float32 of weights about 1
    assert (distance(decayed, other) > 1e-4) == (name not in SGDS)  # the control
    assert distance(decayed, plain) > 1e-4


@pytest.mark.parametrize("decay", [0.0, DECAY, 1.0])
def test_lambs_decay_alone_shrinks_weights_by_lr_whatever_it_is(monkeypatch, decay):
    """The trust ratio divides it out; with a gradient, the recurrence holds of both."""

    def of_zeros(self, batch):
        for p in self.model.parameters():
            p.grad = torch.zeros_like(p)
        return torch.zeros(())

    monkeypatch.setattr(Learner, "backward", of_zeros)
    factor = 1 - LR if decay else 1.0
    expected = [factor * w for w in start("lamb")]
    assert distance(weights_after("lamb", decay), expected) < 2e-6


@every_optimizer
def test_norms_and_biases_decay_where_the_workload_says_so(name):
    for decays in (True, False):
        settings = {"decay_norm_and_bias": decays}
        plain = weights_after(name, 0.0, **settings)
        decayed = weights_after(name, DECAY, **settings)
        shrunk = plain if name in AFTER else start(name)
        for a, b, w in zip(plain, decayed, shrunk, strict=True):
            is_kept = (a.ndim == 1 and not decays) or not w.any()  # BatchNorm's biases start at 0
            assert torch.equal(a, b) == is_kept


# Stopping and going on


@cache
def whole(name: str) -> bytes:
    """The state of a run that was never stopped."""
    return pack(state_of(fitted(run_of(name))))


@every_optimizer
def test_a_run_goes_on_to_the_same_bits(name):
    """Before and after each kind of step."""
    part = prepare(run_of(name))
    for step in (1, 3, 4, 7):
        step_until(part, step)
        kept, resumed = pack(state_of(part)), prepare(run_of(name))
        put(unpack(kept), resumed)
        assert pack(state_of(resumed)) == kept
        fit(resumed)
        assert pack(state_of(resumed)) == whole(name)


@every_optimizer
def test_control_without_the_optimizers_state_it_goes_elsewhere(name):
    part, resumed = prepare(run_of(name)), prepare(run_of(name))
    step_until(part, 7)
    fresh = state_of(resumed)["optimizer"]
    put({**unpack(pack(state_of(part))), "optimizer": fresh}, resumed)
    fit(resumed)
    assert pack(state_of(resumed)) != whole(name)


def test_prodigys_distance_grows_within_the_run_that_is_stopped():
    distances = [d.value for d in fitted(run_of("prodigy")).course.diagnostics if d.name == "d"]
    assert len(distances) == STEPS
    assert distances == sorted(distances)
    assert len({*distances}) > STEPS / 2


# Evaluation


def without_points(run: Run) -> Training:
    """A run that is looked at once, at its end."""
    training = replace(prepare(run), points=[STEPS])
    fit(training)
    return training


def learnt(training: Training) -> bytes:
    state = state_of(training)
    return pack({"model": state["model"], "optimizer": state["optimizer"]})


@every_optimizer
def test_evaluation_leaves_training_as_it_was(name):
    looked_at = fitted(run_of(name))
    assert len(looked_at.course.history) == STEPS
    assert learnt(looked_at) == learnt(without_points(run_of(name)))


def test_control_averages_that_stay_in_place_change_training(monkeypatch):
    seldom = learnt(without_points(run_of("schedule_free")))
    monkeypatch.setattr(schedule_free.ScheduleFree, "after_evaluation", None)
    assert learnt(fitted(run_of("schedule_free"))) != seldom


def test_control_the_librarys_own_way_back_from_averages_rounds(monkeypatch):
    seldom = learnt(without_points(run_of("schedule_free")))
    back = schedule_free.ScheduleFree.train
    monkeypatch.setattr(schedule_free.ScheduleFree, "after_evaluation", lambda self: back(self))
    assert learnt(fitted(run_of("schedule_free"))) != seldom


# Schedules and packages


def refused(name: str) -> dict[str, str]:
    return signatures.constant("optimizers", name, "REFUSES") or {}


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if "one_cycle" not in refused(name)])
def test_what_does_not_refuse_one_cycle_runs_under_it(name):
    run = replace(run_of(name), schedule="one_cycle", schedule_args={})
    course = fitted(run).course
    assert course.diverged_at_step is None
    momenta = [point.momentum for point in course.history]
    assert momenta[0] - min(momenta) > 0.05
    assert math.isfinite(course.history[-1].heldout_loss)


@every_optimizer
def test_the_package_that_an_optimizer_comes_from_is_named(name):
    file = registry.source("optimizers", name).read_text()
    others = {"pytorch_optimizer": "4.1.0"} if "import pytorch_optimizer" in file else {}
    named = packages(prepare(run_of(name)).learner.optimizer)
    assert named.keys() - {"torch", "optbench"} == others.keys()
    assert named.items() >= others.items()


# Divergence


@every_optimizer
@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_loss_that_is_nan_ends_the_run_and_is_no_error(monkeypatch, name, step):
    taken, original = 0, Learner.backward

    def nan_once(self, batch):
        nonlocal taken
        taken += 1
        return original(self, (batch[0] * (math.nan if taken == step else 1), batch[1]))

    monkeypatch.setattr(Learner, "backward", nan_once)
    # 44 steps have a point after 3, 5, ...: those to come are taken before the end is seen.
    assert fitted(run_of(name, budget=Budget(epochs=2))).course.diverged_at_step == step


@every_optimizer
def test_an_absurd_learning_rate_is_no_error(name):
    course = fitted(run_of(name, {"lr": 1e30})).course
    assert course.diverged_at_step or name in ("kfac", "ngd")  # clipped by their KL divergence
