"""What a recorded pass takes in and gives back, and that it leaves no trace."""

import copy

import pytest
import torch
from tests.curvature.nets import distance, labels, norm_net, normal, owners, seeded, take
from torch import nn
from torch.nn import functional as F

from optbench.core.errors import UsageError
from optbench.curvature import fisher
from optbench.curvature.record import frozen_statistics, record, spare_buffers

IMAGES, LABELS = normal(5, 2, 6, 6), labels(5)


def hooks(model: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def state(model: nn.Module) -> list:
    """All that a pass could change: buffers and their identity, modes, momentum, gradients."""
    modules = list(model.modules())
    return [
        *[(id(b), b.tolist()) for b in model.buffers()],
        *[(m.training, getattr(m, "momentum", None)) for m in modules],
        *[None if p.grad is None else (id(p.grad), p.grad.tolist()) for p in model.parameters()],
    ]


def with_gradient() -> nn.Sequential:
    model = norm_net()
    F.cross_entropy(model(IMAGES), LABELS).backward()
    return model


def test_inputs_and_output_gradients_are_those_of_a_network_written_out():
    model = norm_net()
    taken = take(model, IMAGES)
    hidden = [IMAGES]  # out of place, where the network's ReLU is in place
    for module in model:
        hidden.append(F.relu(hidden[-1]) if isinstance(module, nn.ReLU) else module(hidden[-1]))
    loss = F.cross_entropy(hidden[-1], LABELS, reduction="sum")
    expected = torch.autograd.grad(loss, hidden[1:])
    actual = taken.output_gradients(fisher.observed(taken.logits, LABELS))
    assert set(actual) == set(taken.inputs) == {"0", "1", "3", "5", "7"}
    for name in actual:
        assert torch.equal(taken.inputs[name], hidden[int(name)])
        torch.testing.assert_close(actual[name], expected[int(name)], rtol=1e-12, atol=1e-14)


def test_a_relu_in_place_behind_a_convolution_changes_no_output_gradient():
    apart, inside = (
        seeded(nn.Conv2d(2, 3, 3), nn.ReLU(inplace=inplace), nn.Flatten(), nn.Linear(48, 3))
        for inplace in (False, True)
    )
    this, other = take(apart, IMAGES), take(inside, IMAGES)
    rows = fisher.observed(this.logits, LABELS)
    d, expected = other.output_gradients(rows)["0"], this.output_gradients(rows)["0"]
    assert torch.equal(d, expected)
    assert (d == 0).any()  # the ReLU's slope is in it
    assert distance(d, torch.ones_like(d)) > 0.1


def test_a_pass_leaves_no_trace():
    model = with_gradient()
    before = state(model)
    taken = take(model, IMAGES)
    taken.output_gradients(fisher.observed(taken.logits, LABELS))
    assert state(model) == before
    assert hooks(model) == 0


def test_control_a_plain_pass_in_training_does_leave_one():
    model = with_gradient()
    before = state(model)
    model(IMAGES)
    assert state(model) != before


def test_a_pass_works_without_gradients_around_it():
    with torch.no_grad():
        taken = take(norm_net(), IMAGES)
        assert taken.output_gradients(torch.ones_like(taken.logits))


def test_a_pass_that_fails_leaves_no_trace():
    model = with_gradient()
    before = state(model)

    def forward(images: torch.Tensor) -> torch.Tensor:
        model(images)
        raise RuntimeError("late")

    with pytest.raises(RuntimeError, match="late"):
        record(model, forward, IMAGES, owners(model))
    with pytest.raises(RuntimeError, match="late"), frozen_statistics(model, forward, IMAGES):
        pass
    assert state(model) == before
    assert hooks(model) == 0


def test_inside_buffers_are_copies():
    model = norm_net()
    before = state(model)
    with spare_buffers(model):
        model(IMAGES)
        assert not torch.equal(model[1].running_mean, norm_net()[1].running_mean)
    assert state(model) == before


def test_frozen_statistics_are_the_batchs_own_and_constant():
    model = with_gradient()
    before = state(model)
    reference = copy.deepcopy(model)
    with frozen_statistics(model, model, IMAGES):
        hidden = model[0](IMAGES).transpose(0, 1).flatten(1)
        close = {"rtol": 1e-12, "atol": 1e-14}
        torch.testing.assert_close(model[1].running_mean, hidden.mean(dim=1), **close)
        torch.testing.assert_close(model[1].running_var, hidden.var(dim=1), **close)
        together = model(IMAGES)
        alone = torch.cat([model(image[None]) for image in IMAGES])
        torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-13)
    assert state(model) == before
    mixed = reference(IMAGES)  # the control: in training, examples are mixed
    halves = torch.cat([reference(half) for half in IMAGES.split(3)])
    assert distance(mixed.detach(), halves.detach()) > 0.01


def test_a_norm_in_evaluation_keeps_its_own_statistics():
    model = norm_net().eval()
    statistics = model[1].running_mean.clone()
    with frozen_statistics(model, model, IMAGES):
        assert torch.equal(model[1].running_mean, statistics)
    assert not any(module.training for module in model.modules())


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shared(self.shared(self.first(x)).tanh())


def test_a_layer_called_twice_is_named():
    model = Twice()
    with pytest.raises(UsageError, match="'shared' is called twice"):
        record(model, model, torch.ones(2, 3), owners(model))
    assert hooks(model) == 0


class Folded(nn.Module):
    """Takes rows [n, tokens, 3], and folds tokens into examples where it is told to."""

    def __init__(self, *, folds: bool) -> None:
        super().__init__()
        self.layer, self.folds = nn.Linear(3, 3), folds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(0, 1) if self.folds else x
        return self.layer(rows).view(len(x), -1, 3)


def test_an_input_whose_first_dimension_does_not_count_the_examples_is_refused_and_named():
    images = torch.ones(2, 4, 3)
    model = Folded(folds=True)
    message = r"input of layer 'layer' is \[8, 3\] in a batch of 2: its first dimension must count"
    with pytest.raises(UsageError, match=message):
        record(model, model, images, owners(model))
    model = Folded(folds=False)
    assert record(model, model, images, owners(model)).inputs["layer"].shape == (2, 4, 3)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32])
def test_layers_in_bfloat16_show_even_where_layernorm_hands_them_float32(precision):
    model = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
        taken = record(model, model, torch.ones(2, 4, 3), {"1": model[1]})
    assert taken.inputs["1"].dtype == torch.float32
    assert taken.logits.dtype == precision
    assert taken.is_bf16 == (precision == torch.bfloat16)


class Spoilt(nn.Module):
    def __init__(self, *, in_place: bool) -> None:
        super().__init__()
        self.first, self.second, self.in_place = nn.Linear(3, 3), nn.Linear(3, 3), in_place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x).tanh()
        used = self.second(hidden.detach())
        return used + (hidden.mul_(2) if self.in_place else hidden * 2)


def test_an_input_changed_after_its_use_is_refused_and_named():
    images = torch.ones(2, 3)
    model = Spoilt(in_place=True)
    with pytest.raises(UsageError, match="input of layer 'second' is changed in place"):
        record(model, model, images, owners(model))
    model = Spoilt(in_place=False)
    assert set(record(model, model, images, owners(model)).inputs) == {"first", "second"}
