"""Kronecker factors against curvlinops and functorch, their solves against NumPy."""

from functools import cache

import numpy as np
import pytest
import torch
from curvlinops import FisherType, KFACLinearOperator, KFACType
from tests.curvature import nets
from tests.curvature.nets import block, conv_net, distance, factors, labels, matrices, mlp, normal
from torch import nn
from torch.nn import functional as F

from optbench.curvature import fisher, kronecker
from optbench.curvature.record import record

N = 6
IMAGES, LABELS = normal(N, 2, 7, 8), labels(N)


@cache
def public_blocks(fisher: str, approx: str) -> dict[str, torch.Tensor]:
    """curvlinops' matrix, a block a layer, its rows in the project's order."""
    model = conv_net()
    operator = KFACLinearOperator(
        model,
        nn.CrossEntropyLoss(),
        list(model.parameters()),
        [(IMAGES, LABELS)],
        fisher_type={"type2": FisherType.TYPE2, "empirical": FisherType.EMPIRICAL}[fisher],
        kfac_approx={"expand": KFACType.EXPAND, "reduce": KFACType.REDUCE}[approx],
        separate_weight_and_bias=False,
        check_deterministic=False,
    )
    count = sum(p.numel() for p in model.parameters())
    dense = operator @ torch.eye(count, dtype=torch.float64)
    places = torch.arange(count).split([p.numel() for p in model.parameters()])
    named = {
        name: place.view(p.shape)
        for (name, p), place in zip(model.named_parameters(), places, strict=True)
    }
    order = {name: nets.join(name, layer, named) for name, layer in matrices(model).items()}
    return {name: dense[rows][:, rows] for name, rows in order.items()}


@pytest.mark.parametrize("fisher", ["type2", "empirical"])
@pytest.mark.parametrize("approx", ["expand", "reduce"])
def test_blocks_equal_those_of_curvlinops(fisher, approx):
    ours = factors(conv_net(), IMAGES, LABELS, fisher, approx)
    theirs = public_blocks(fisher, approx)
    assert set(ours) == set(theirs)
    for name, (a, g) in ours.items():
        close = {"rtol": 1e-10, "atol": 1e-10 * float(theirs[name].abs().max())}
        torch.testing.assert_close(block(a, g), theirs[name], **close)
        for wrong in (N * a, a / N):
            with pytest.raises(AssertionError):
                torch.testing.assert_close(block(wrong, g), theirs[name], **close)


def test_control_expand_and_reduce_are_different_blocks_where_positions_are_many():
    expand, reduced = public_blocks("type2", "expand"), public_blocks("type2", "reduce")
    assert distance(reduced["0"], expand["0"]) > 0.1
    torch.testing.assert_close(reduced["8"], expand["8"])


def identity_blocks(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Blocks for squared error, whose Hessian in the network's output is the identity."""
    layers = matrices(model)
    taken = record(model, model, images, layers)
    unit = torch.eye(taken.logits.shape[1], dtype=torch.float64)
    sources = [row.expand(len(images), -1) for row in unit]
    pairs = kronecker.factors(taken, layers, sources, "expand")
    return {name: block(*pair) for name, pair in pairs.items()}


def exact_blocks(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    jacobian = nets.jacobian(model, images)
    return {name: torch.einsum("nci,ncj->ij", j, j) / len(j) for name, j in jacobian.items()}


def test_blocks_of_a_deep_linear_network_are_exact():
    model, images = mlp(4, 5, 3, 2, activation=nn.Identity), normal(8, 4)
    ours, exact = identity_blocks(model, images), exact_blocks(model, images)
    for name in exact:
        torch.testing.assert_close(ours[name], exact[name], rtol=1e-10, atol=1e-12)


def test_control_blocks_of_a_network_with_tanh_are_not():
    model, images = mlp(4, 5, 3, 2), normal(8, 4)
    ours, exact = identity_blocks(model, images), exact_blocks(model, images)
    assert max(distance(ours[name], exact[name]) for name in exact) > 0.05


@pytest.mark.parametrize("fisher", ["type2", "empirical"])
@pytest.mark.parametrize("approx", ["expand", "reduce"])
def test_a_batch_twice_gives_the_same_factors(fisher, approx):
    once = factors(conv_net(), IMAGES, LABELS, fisher, approx)
    twice = factors(conv_net(), torch.cat([IMAGES] * 2), torch.cat([LABELS] * 2), fisher, approx)
    for name in once:
        for this, other in zip(once[name], twice[name], strict=True):
            torch.testing.assert_close(this, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("reduction", "scale"), [("sum", 1), ("mean", N)])
def test_output_factors_are_those_of_a_summed_loss_or_of_a_mean_rescaled(reduction, scale):
    model = mlp(4, 5, nets.CLASSES)
    images = normal(N, 4)
    hidden = model[0](images)
    loss = F.cross_entropy(model[2](hidden.tanh()), LABELS, reduction=reduction)
    (d,) = torch.autograd.grad(loss, hidden)
    _, g = factors(model, images, LABELS, "empirical")["0"]
    d = scale * d
    torch.testing.assert_close(g, d.T @ d / N, rtol=1e-12, atol=1e-15)
    assert distance(g, d.T @ d) > 0.5  # the control: no division by N


A, G, GRADIENT = (x.numpy() for x in (normal(9, 4), normal(9, 3, seed=1), normal(3, 4, seed=2)))
A, G = A.T @ A / 9, 0.01 * G.T @ G / 9


def solved(invert, damping: float) -> np.ndarray:
    actual = invert(torch.tensor(A), torch.tensor(G), damping)
    return kronecker.solve(actual, torch.tensor(GRADIENT)).numpy()


@pytest.mark.parametrize("damping", [1e-1, 1e-3, 1e-6])
def test_eigen_solves_with_the_damped_kronecker_product(damping):
    dense = np.kron(G, A) + damping * np.eye(12)
    expected = np.linalg.solve(dense, GRADIENT.ravel()).reshape(3, 4)
    np.testing.assert_allclose(solved(kronecker.eigenbases, damping), expected, rtol=1e-9)


def damped_apart(damping: float, pi: float) -> np.ndarray:
    left = np.linalg.inv(G + damping**0.5 / pi * np.eye(3))
    return left @ GRADIENT @ np.linalg.inv(A + damping**0.5 * pi * np.eye(4))


@pytest.mark.parametrize("damping", [1e-1, 1e-3, 1e-6])
def test_cholesky_solves_with_two_damped_factors_balanced_by_pi(damping):
    pi = np.sqrt((np.trace(A) / 4) / (np.trace(G) / 3))
    ours = solved(kronecker.damped_inverses, damping)
    np.testing.assert_allclose(ours, damped_apart(damping, pi), rtol=1e-9)
    wrong = damped_apart(damping, 1 / pi)
    assert np.linalg.norm(ours - wrong) > 0.01 * np.linalg.norm(wrong)


@pytest.mark.parametrize("invert", [kronecker.eigenbases, kronecker.damped_inverses])
def test_a_factor_scaled_up_and_the_other_down_change_no_solve(invert):
    """So that it does not matter which of the two is divided by what."""
    this, that, wrong = (
        kronecker.solve(invert(left * torch.tensor(A), torch.tensor(G) / right, 1e-3), gradient)
        for gradient in [torch.tensor(GRADIENT)]
        for left, right in [(1, 1), (7, 7), (7, 1)]
    )
    torch.testing.assert_close(that, this, rtol=1e-10, atol=1e-12)
    assert distance(wrong, this) > 0.1


def test_without_inverses_the_solve_is_the_gradient_itself():
    assert torch.equal(kronecker.solve({}, torch.tensor(GRADIENT)), torch.tensor(GRADIENT))


@pytest.mark.parametrize("invert", [kronecker.eigenbases, kronecker.damped_inverses])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_factor_that_is_not_finite_has_no_inverse(invert, place, bad):
    pair = [torch.tensor(A), torch.tensor(G)]
    assert invert(*pair, 1e-3) is not None
    pair[place][0, 0] = bad
    assert invert(*pair, 1e-3) is None


@pytest.mark.parametrize("invert", [kronecker.eigenbases, kronecker.damped_inverses])
def test_a_factor_of_zeros_is_inverted_all_the_same(invert):
    actual = invert(torch.tensor(A), torch.zeros(3, 3, dtype=torch.float64), 1e-3)
    assert torch.isfinite(kronecker.solve(actual, torch.tensor(GRADIENT))).all()


def test_an_eigenvalue_that_rounding_made_negative_counts_as_zero():
    negative = torch.diag(torch.tensor([1.0, -1e-7]))
    spectrum = kronecker.eigenbases(negative, torch.eye(2), 1e-9)["spectrum"]
    assert spectrum.min() == torch.tensor(1e-9)


def test_a_decomposition_that_fails_in_float32_is_tried_in_float64():
    seen = []

    def decompose(matrix: torch.Tensor) -> tuple[torch.Tensor]:
        seen.append(matrix.dtype)
        if matrix.dtype == torch.float32:
            raise torch.linalg.LinAlgError
        return (2 * matrix,)

    (actual,) = kronecker.finite_or_none(decompose, torch.eye(2))
    assert seen == [torch.float32, torch.float64]
    assert torch.equal(actual, 2 * torch.eye(2))


def test_bfloat16_gives_float32_factors_near_those_of_float32():
    model = conv_net().float()
    images, layers = normal(64, 2, 7, 8).float(), matrices(model)
    full = record(model, model, images, layers)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        short = record(model, model, images, layers)
    assert any(x.dtype == torch.bfloat16 for x in short.inputs.values())
    sources = [fisher.observed(full.logits, labels(64))]
    expected = kronecker.factors(full, layers, sources, "expand")
    actual = kronecker.factors(short, layers, [s.bfloat16() for s in sources], "expand")
    pairs = [pair for name in expected for pair in zip(actual[name], expected[name], strict=True)]
    assert all(this.dtype == torch.float32 for this, _ in pairs)
    distances = [distance(*pair) for pair in pairs]
    assert 0 < max(distances) < 0.02
