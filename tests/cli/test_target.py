"""What is measured of an optimizer's class: that it trains as the trainer has it, its decay."""

import pytest
import torch
from torch import optim

from optbench.cli import target
from optbench.cli.wrapper import arguments_of
from optbench.core.errors import UsageError


class Descent(optim.Optimizer):
    """w -= lr x gradient, and what subclasses make of decay."""

    def __init__(self, params, lr=0.1, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                self.update(p, group)
        return loss

    def update(self, p, group):
        p.sub_(p.grad, alpha=group["lr"])


class NormalisedL2(Descent):
    """By sign, so that L2 and decoupled are not one."""

    def update(self, p, group):
        p.sub_((p.grad + group["weight_decay"] * p).sign(), alpha=group["lr"])


class NormalisedDecoupled(Descent):
    def update(self, p, group):
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.sub_(p.grad.sign(), alpha=group["lr"])


class FixedDecay(Descent):
    """Shrinks by the decay alone, whatever lr is."""

    def update(self, p, group):
        p.mul_(1 - group["weight_decay"])
        p.sub_(p.grad.sign(), alpha=group["lr"])


class IgnoresDecay(Descent):
    pass


class BreaksWithDecay(Descent):
    def update(self, p, group):
        raise RuntimeError("of its own")


class KeepsState(Descent):
    """A momentum in its state: to be resumed."""

    def update(self, p, group):
        momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
        p.sub_(momentum.mul_(0.9).add_(p.grad), alpha=group["lr"])


class HidesState(Descent):
    """The same momentum where state_dict does not see it."""

    def __init__(self, params, **args):
        super().__init__(params, **args)
        self.hidden = {}

    def update(self, p, group):
        momentum = self.hidden.setdefault(p, torch.zeros_like(p))
        p.sub_(momentum.mul_(0.9).add_(p.grad), alpha=group["lr"])


class Averages(Descent):
    """Trains some weights and judges their mean; made to be judged, as schedule-free ones are."""

    def __init__(self, params, **args):
        super().__init__(params, **args)
        self.mode = "eval"

    def train(self):
        self.mode = "train"

    def eval(self):
        self.mode = "eval"

    def update(self, p, group):
        if self.mode != "train":
            raise RuntimeError("not in train mode")
        super().update(p, group)


class NoClosure(Descent):
    def step(self, closure=None):
        return None


class ClosureWithoutGradients(Descent):
    @torch.no_grad()
    def step(self, closure=None):
        return closure()


class Explodes(Descent):
    def update(self, p, group):
        p.fill_(float("inf"))


class HoldsAFunction(Descent):
    def update(self, p, group):
        self.state[p]["made by"] = print


class WithoutLr(Descent):
    def __init__(self, params):
        optim.Optimizer.__init__(self, params, {"rate": 0.1})

    def update(self, p, group):
        p.sub_(p.grad, alpha=group["rate"])


def form(optimizer, **args):
    values = {argument.name: argument.default for argument in arguments_of(optimizer)[0]}
    return target.decay_form(optimizer, {**values, **args})


@pytest.mark.parametrize("name", ["SGD", "Adam", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adamax"])
def test_torchs_l2_is_measured_as_such(name):
    assert form(getattr(optim, name)) == "L2"


@pytest.mark.parametrize("name", ["AdamW", "Adafactor"])
def test_torchs_decoupled_decay_is_measured_as_such(name):
    assert form(getattr(optim, name)) == "decoupled"


def test_a_flag_of_torch_changes_the_form():
    assert form(optim.NAdam, decoupled_weight_decay=True) == "decoupled"
    assert form(optim.Adam, decoupled_weight_decay=True) == "decoupled"
    assert form(optim.Adam, amsgrad=True) == "L2"  # the control: a flag that does not


def test_other_forms_are_not_taken_for_one_of_the_two():
    assert form(NormalisedL2) == "L2"
    assert form(NormalisedDecoupled) == "decoupled"
    assert [form(c) for c in (FixedDecay, IgnoresDecay)] == ["other", "other"]
    assert form(BreaksWithDecay) is None


@pytest.mark.parametrize(
    "optimizer", [Descent, KeepsState, Averages, optim.SGD, optim.NAdam, optim.Adafactor]
)
def test_what_trains_and_resumes_is_taken(optimizer):
    target.require_trains(optimizer, {})


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (HidesState, "could not be resumed to the bit"),
        (NoClosure, "does not call the closure"),
        (ClosureWithoutGradients, "RuntimeError: element 0 of tensors does not require grad"),
        (Explodes, "weights that are not finite"),
        (HoldsAFunction, "made of tensors, numbers, text"),
        (WithoutLr, "no lr, which schedules steer"),
        (optim.LBFGS, "doesn't support per-parameter options"),
        (optim.Muon, "only supports 2D parameters"),
        (optim.SparseAdam, "does not support dense gradients"),
    ],
)
def test_what_the_trainer_cannot_use_is_refused_with_the_reason(optimizer, message):
    with pytest.raises(UsageError, match="--target: .*" + message):
        target.require_trains(optimizer, {})


def test_measuring_leaves_torchs_generator_alone():
    before = torch.get_rng_state()
    target.require_trains(optim.NAdam, {})
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NAdam", "must name a class with its package, as torch.optim.NAdam"),
        ("torch.optim.NAdm", "unknown name in torch.optim 'NAdm': did you mean 'NAdam'?"),
        ("torch.optin.NAdam", "torch.optin cannot be imported: No module named 'torch.optin'"),
        (
            "torch.optim.Optimizer",
            "must be a class made after torch.optim's",
        ),
        ("torch.nn.Linear", "got 'torch.nn.Linear': must be a class made"),
        ("torch.optim.sgd.sgd", "got 'torch.optim.sgd.sgd': must be a class made"),
        ("no_such_package.Lion", "stages cannot import no_such_package: install it"),
    ],
)
def test_what_is_no_class_of_optimizers_is_refused(name, message):
    with pytest.raises(UsageError, match=message):
        target.import_class(name)


def test_control_a_class_is_imported():
    assert target.import_class("torch.optim.NAdam") is optim.NAdam
    assert target.developed_at("torch") is None
