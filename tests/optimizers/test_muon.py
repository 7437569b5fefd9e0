"""Muon against its recurrence in float64 NumPy, and who gets it."""

import numpy as np
import pytest
import torch
from tests.optimizers.recurrences import (
    DECAY,
    FACTORS,
    START,
    STEPS,
    gradient,
    reference_adamw,
    train,
)
from torch import nn

from optbench.core import roles
from optbench.optimizers import muon
from optbench.schedules import one_cycle
from optbench.training.scheduling import Scheduler

JORDAN = (3.4445, -4.7750, 2.0315)
LR, RATIO = 0.02, 0.3
HIDDEN = ("square", "wide", "tall", "kernel")


def orthogonalised(matrix: np.ndarray, coefficients: tuple, steps: int = 5) -> np.ndarray:
    """Jordan's quintic on singular values, not on the matrix."""
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    a, b, c = coefficients
    s = s / np.linalg.norm(s)
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return u * s @ vt


def papers_scale(rows: int, columns: int) -> float:
    """Moonlight's."""
    return 0.2 * max(rows, columns) ** 0.5


def reference(name, *, coefficients=JORDAN, scale=papers_scale, mu=0.95, nesterov=True):
    """With Jordan's buffer, a sum."""
    x, buffer = START[name].copy(), 0.0
    for t in range(1, STEPS + 1):
        lr, g = LR * FACTORS[t - 1], gradient(name, x, t)
        buffer = mu * buffer + g
        update = g + mu * buffer if nesterov else buffer
        matrix = update.reshape(len(update), -1)
        step = scale(*matrix.shape) * orthogonalised(matrix, coefficients).reshape(x.shape)
        x = x * (1 - lr * DECAY) - lr * step
    return x


def trained() -> dict[str, np.ndarray]:
    names = (*HIDDEN, "head", "vector")
    return train(muon.build, *names, lr=LR, adamw_lr_ratio=RATIO)


def test_matrices_and_kernels_follow_jordans_recurrence_with_moonlights_scale():
    actual = trained()
    for name in HIDDEN:
        np.testing.assert_allclose(actual[name], reference(name), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"coefficients": (3.4445, -4.7750, 2.0)},
        {"coefficients": (2.0, -1.5, 0.5)},
        {"scale": lambda rows, columns: max(1, rows / columns) ** 0.5},
        {"mu": 0.9},
        {"nesterov": False},
    ],
)
def test_control_another_recurrence_does_not_match(wrong):
    actual = trained()
    for name in HIDDEN:
        assert np.abs(actual[name] - reference(name, **wrong)).max() > 1e-6


def test_heads_and_vectors_follow_adamw_at_an_lr_of_their_own():
    actual = trained()
    for name in ("head", "vector"):
        expected = reference_adamw(name, lr=LR * RATIO)
        np.testing.assert_allclose(actual[name], expected, rtol=1e-10, atol=1e-10)
        control = reference_adamw(name, lr=LR)
        assert np.abs(actual[name] - control).max() > 1e-2


def tagger() -> nn.Module:
    """A network with each role: an embedding and a head, a kernel and a matrix, vectors."""
    return nn.ModuleDict(
        {
            "embedding": nn.Embedding(11, 8),
            "convolution": nn.Conv2d(8, 24, 3),
            "hidden": nn.Linear(24, 16),
            "norm": nn.LayerNorm(16),
            "head": nn.Linear(16, 5),
        }
    )


HEADS = ("embedding", "head")
MATRICES = {"convolution.weight", "hidden.weight"}


def moves(heads: tuple[str, ...] = HEADS) -> dict[str, torch.Tensor]:
    """What a first step along noise subtracts from each parameter, over lr."""
    torch.manual_seed(0)
    model = tagger()
    optimizer = muon.build(model, roles.param_groups(model, heads), lr=LR, adamw_lr_ratio=RATIO)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}

    def closure() -> torch.Tensor:
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        return torch.zeros(())

    optimizer.step(closure)
    return {name: (before[name] - p.detach()) / LR for name, p in model.named_parameters()}


def singular_values(move: torch.Tensor) -> torch.Tensor:
    """Those of an update, without its scale."""
    matrix = move.flatten(1).double()
    return torch.linalg.svdvals(matrix) / papers_scale(*matrix.shape)


def is_orthogonal(move: torch.Tensor) -> bool:
    """As nearly as Jordan's coefficients make it."""
    values = singular_values(move)
    return bool(((values > 0.6) & (values < 1.3)).all())


def test_by_role_an_update_is_orthogonal_or_adamws():
    for name, move in moves().items():
        if name in MATRICES:
            assert is_orthogonal(move)
        else:  # AdamW's first step moves each weight by lr
            torch.testing.assert_close(move.abs(), torch.full_like(move, RATIO), rtol=1e-3, atol=0)
    for name in ("embedding.weight", "head.weight"):  # the control
        assert not is_orthogonal(moves()[name])


def test_control_a_head_that_is_not_declared_is_orthogonalised():
    assert is_orthogonal(moves(heads=("embedding",))["head.weight"])


def test_schedules_move_both_lrs_and_both_momenta():
    model = tagger()
    optimizer = muon.build(
        model, roles.param_groups(model, HEADS), lr=LR, adamw_lr_ratio=RATIO, momentum=0.7
    )
    scheduler = Scheduler(optimizer, one_cycle.factor, steps=100, steps_per_epoch=10)
    for step in (0, 29, 60):
        scheduler.apply(step)
        factor, momentum = one_cycle.factor(step, 100)
        hidden, *others = optimizer.param_groups
        assert (hidden["role"], len(others)) == (roles.HIDDEN, 2)
        assert hidden["lr"] == pytest.approx(LR * factor)
        assert hidden["momentum"] == momentum
        for group in others:
            assert group["lr"] == pytest.approx(LR * RATIO * factor)
            assert group["betas"] == (momentum, 0.999)
            assert "momentum" not in group


@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_the_size_of_a_gradient_does_not_matter(size):
    matrix = torch.tensor(START["wide"]).float()
    plain, scaled = (muon.orthogonalised(matrix * factor, 5) for factor in (1.0, size))
    torch.testing.assert_close(plain, scaled, rtol=1e-4, atol=1e-5)
    assert not torch.equal(muon.orthogonalised(torch.zeros(3, 5), 5), plain)


def test_a_gradient_of_zeros_moves_nothing():
    assert torch.equal(muon.orthogonalised(torch.zeros(3, 5), 5), torch.zeros(3, 5))
