"""The shell around a direction, against recurrences written in float64 NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from optbench.core.errors import UsageError
from optbench.core.objective import Objective
from optbench.curvature.preconditioned import Preconditioned

STEPS, LR, DECAY, MOMENTUM = 12, 0.05, 0.1, 0.9
RNG = np.random.default_rng(0)
START, PLAIN = RNG.normal(size=4), RNG.normal(size=3)
NOISE = RNG.normal(size=(STEPS, 7))
MATRIX = np.diag([1.0, 2.0, 0.5, 3.0]) + 0.1


def constant_objective(backward, likelihood: str = "categorical") -> Objective:
    """The closure of a step that looks at gradients alone."""
    this = torch.ones(1)
    return Objective(this, this, likelihood, forward=lambda inputs: inputs, backward=backward)


class Scaled(Preconditioned):
    """v = M g for the first parameter; the second descends along its gradient."""

    matrix = MATRIX

    def direction(self, objective):
        p = self.param_groups[0]["params"][0]
        return {p: torch.tensor(self.matrix) @ p.grad}


def gradients(x: np.ndarray, y: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
    return 3 * x + NOISE[t, :4], 2 * y + NOISE[t, 4:]


def train(kl_clip: float, optimizer_type=Scaled) -> tuple[np.ndarray, list[float], list[float]]:
    """The parameters, and each step's clip factor and lr^2 v.g after clipping."""
    x, y = (nn.Parameter(torch.tensor(start)) for start in (START, PLAIN))
    groups = [{"params": [x]}, {"params": [y], "lr": LR / 2, "weight_decay": 0.0}]
    optimizer = optimizer_type(
        groups, lr=LR, momentum=MOMENTUM, weight_decay=DECAY, kl_clip=kl_clip
    )
    factors, products = [], []
    for t in range(STEPS):

        def backward(t: int = t) -> torch.Tensor:
            parts = gradients(x.detach().numpy(), y.detach().numpy(), t)
            x.grad, y.grad = (torch.tensor(part) for part in parts)
            return torch.zeros(())

        optimizer.step(constant_objective(backward))
        factors.append(optimizer.clip_factor)
        g = x.grad.numpy()
        products.append(LR**2 * optimizer.clip_factor**2 * g @ optimizer.matrix @ g)
    assert optimizer.clipped_steps == sum(factor < 1 for factor in factors)
    return torch.cat([x, y]).detach().numpy(), factors, products


def reference(kl_clip: float, *, coupled: bool = False) -> np.ndarray:
    x, y = START.copy(), PLAIN.copy()
    of_x, of_y = np.zeros(4), np.zeros(3)
    for t in range(STEPS):
        g, plain = gradients(x, y, t)
        v = MATRIX @ g
        v = v * min(1.0, np.sqrt(kl_clip / (LR**2 * v @ g)))
        if coupled:
            v = v + DECAY * x
        of_x, of_y = MOMENTUM * of_x + v, MOMENTUM * of_y + plain
        x = x * (1 if coupled else 1 - LR * DECAY) - LR * of_x
        y = y - LR / 2 * of_y
    return np.concatenate([x, y])


@pytest.mark.parametrize("kl_clip", [1e-3, 1e-2, 1e9])
def test_matches_the_numpy_recurrence(kl_clip):
    actual, *_ = train(kl_clip)
    np.testing.assert_allclose(actual, reference(kl_clip), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("wrong", [{"kl_clip": 2e-3}, {"kl_clip": 1e-3, "coupled": True}])
def test_control_another_recurrence_does_not_match(wrong):
    actual, *_ = train(1e-3)
    assert np.abs(actual - reference(**wrong)).max() > 1e-6


def test_the_predicted_change_is_never_above_its_bound():
    _, factors, products = train(1e-3)
    assert min(factors) < 0.5
    assert max(products) <= 1e-3 * (1 + 1e-12)


def test_a_small_step_is_not_clipped():
    _, factors, products = train(1e9)
    assert factors == [1.0] * STEPS
    assert max(products) > 1e-3  # the control: the bound above would have been passed


def test_a_direction_uphill_is_not_clipped():
    class Uphill(Scaled):
        matrix = -MATRIX

    _, factors, products = train(1e-3, Uphill)
    assert factors == [1.0] * STEPS
    assert max(products) < 0


def test_a_parameter_without_a_gradient_stays():
    x, y = (nn.Parameter(torch.tensor(start)) for start in (START, PLAIN))
    optimizer = Scaled(
        [{"params": [x, y]}], lr=LR, momentum=MOMENTUM, weight_decay=DECAY, kl_clip=1.0
    )

    def backward() -> torch.Tensor:
        x.grad = torch.ones_like(x)
        return torch.ones(())

    optimizer.step(constant_objective(backward))
    assert torch.equal(y, torch.tensor(PLAIN))
    assert not torch.equal(x, torch.tensor(START))


@pytest.mark.parametrize("likelihood", ["gaussian", "Categorical", ""])
def test_an_unknown_likelihood_is_refused_before_any_work(likelihood):
    x = nn.Parameter(torch.tensor(START))
    calls = []

    def backward() -> torch.Tensor:
        calls.append("backward")
        x.grad = torch.ones_like(x)
        return torch.ones(())

    class Watched(Scaled):
        def direction(self, objective):
            calls.append("direction")
            return super().direction(objective)

    optimizer = Watched(
        [{"params": [x]}], lr=LR, momentum=MOMENTUM, weight_decay=DECAY, kl_clip=1.0
    )
    message = f"Watched knows the Fisher matrix of categorical outputs, .* are {likelihood}: choose"
    with pytest.raises(UsageError, match=message):
        optimizer.step(constant_objective(backward, likelihood))
    assert calls == []
    assert torch.equal(x, torch.tensor(START))
    assert optimizer.steps == 0
    assert not optimizer.state
    optimizer.step(constant_objective(backward))  # the control
    assert calls == ["backward", "direction"]
    assert not torch.equal(x, torch.tensor(START))
