"""U, and solves with F = U^T U + damping I, against functorch and NumPy."""

import numpy as np
import pytest
import torch
from tests.curvature import nets
from tests.curvature.nets import CLASSES, conv_net, distance, labels, mlp, norm_net, normal, owners
from torch import nn
from torch.nn import functional as F

from optbench.core.errors import UsageError
from optbench.curvature import fisher, jacobian
from optbench.curvature.jacobian import Explicit, Factored

N = 5
NETWORKS = {"conv": (conv_net, normal(N, 2, 7, 8)), "norm": (norm_net, normal(N, 2, 6, 6))}


def blocks_of(model, images, rows) -> list[jacobian.Block]:
    return jacobian.blocks(owners(model), nets.take(model, images), rows)


def fisher_rows(logits: torch.Tensor) -> list[torch.Tensor]:
    return [row / len(logits) ** 0.5 for row in fisher.columns(logits)]


def exact(model, images, rows) -> dict[str, torch.Tensor]:
    """U from functorch, [n * s, p] a module."""
    stacked = torch.stack(rows, dim=1)  # [n, s, classes]
    full = nets.jacobian(model, images)
    return {k: torch.einsum("nsc,ncp->nsp", stacked, j).flatten(0, 1) for k, j in full.items()}


def prepared(name: str):
    """A network in evaluation with a gradient, its images, and gradients in its logits."""
    make, images = NETWORKS[name]
    model = make().eval()
    F.cross_entropy(model(images), labels(N)).backward()
    return model, images, fisher_rows(model(images))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("form", ["chosen", "explicit", "factored"])
def test_every_form_of_a_block_equals_functorchs_jacobian(name, form, monkeypatch):
    model, images, rows = prepared(name)
    monkeypatch.setattr(jacobian, "CHUNK", 300)  # several chunks of outputs
    close = {"rtol": 1e-10, "atol": 1e-12}
    expected = exact(model, images, rows)
    chosen = blocks_of(model, images, rows)
    for (layer_name, u), block in zip(expected.items(), chosen, strict=True):
        layer = owners(model)[layer_name]
        assert block.layer is layer
        if form != "chosen" and not isinstance(layer, nn.Linear | nn.Conv2d):
            continue
        if form == "explicit":
            block = Explicit(layer, block.rows())
        elif form == "factored":
            taken = nets.take(model, images)
            outputs = [taken.output_gradients(row)[layer_name] for row in rows]
            spread = torch.stack([jacobian.layers.output_rows(layer, d) for d in outputs], dim=1)
            inputs = jacobian.layers.input_rows(layer, taken.inputs[layer_name])
            block = Factored(layer, inputs.contiguous(), spread.contiguous())
        vector, coefficients = normal(u.shape[1], seed=3), normal(u.shape[0], seed=4)
        torch.testing.assert_close(block.rows(), u, **close)
        torch.testing.assert_close(block.gram(), u @ u.T, **close)
        torch.testing.assert_close(block.times(vector), u @ vector, **close)
        torch.testing.assert_close(block.transposed(coefficients), u.T @ coefficients, **close)


def test_the_smaller_form_is_chosen_and_both_occur():
    chosen = {
        name: block
        for network in NETWORKS
        for name, block in zip(
            owners(prepared(network)[0]), blocks_of(*prepared(network)), strict=True
        )
    }
    assert {type(block) for block in chosen.values()} == {Explicit, Factored}
    wide = mlp(8, 8, CLASSES)
    assert all(isinstance(b, Factored) for b in blocks_of(wide, normal(2, 8), [normal(2, CLASSES)]))


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_splits_have_the_order_of_the_columns(name):
    model, images, rows = prepared(name)
    parts = [jacobian.gradient(block.layer) for block in blocks_of(model, images, rows)]
    assert torch.equal(torch.cat(parts), nets.gradient(model))
    for module, part in zip(owners(model).values(), parts, strict=True):
        split = jacobian.split(module, part)
        assert all(torch.equal(split[p], p.grad) for p in module.parameters())


def reference(model, images, rows, damping: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """v, F and g, from functorch and NumPy."""
    u = torch.cat(list(exact(model, images, rows).values()), dim=1).numpy()
    g, f = nets.gradient(model).numpy(), u.T @ u
    return np.linalg.solve(f + damping * np.eye(len(f)), g), f, g


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("damping", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("solve", ["dual", "dense"])
def test_the_solve_equals_numpys(name, damping, solve):
    model, images, rows = prepared(name)
    expected, *_ = reference(model, images, rows, damping)
    blocks = blocks_of(model, images, rows)
    if solve == "dual":
        solution = jacobian.solve_dual(blocks, damping, tolerance=1e-13)
    else:
        solution = jacobian.solve_dense(blocks, damping)
    v = torch.cat(list(solution.vectors)).numpy()
    np.testing.assert_allclose(v, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    wrong, *_ = reference(model, images, [2**0.5 * row for row in rows], damping)
    assert np.linalg.norm(v - wrong) > 1e-3 * np.linalg.norm(wrong)


@pytest.mark.parametrize("solve", [jacobian.solve_dense, jacobian.solve_dual])
def test_the_relative_residual_is_what_numpy_computes(solve):
    model, images, rows = prepared("norm")
    model, rows = model.float(), [row.float() for row in rows]
    model.zero_grad()
    F.cross_entropy(model(images.float()), labels(N)).backward()
    kwargs = {"tolerance": 1.0} if solve is jacobian.solve_dual else {}
    solution = solve(blocks_of(model, images.float(), rows), 1e-3, **kwargs)
    v = torch.cat(list(solution.vectors)).double().numpy()
    wide = [row.double() for row in rows]
    _, f, g = reference(model.double(), images, wide, 1e-3)
    residual = np.linalg.norm(f @ v + 1e-3 * v - g) / np.linalg.norm(g)
    assert 1e-9 < residual < 1e-3  # rounding of float32
    # The residual is itself computed in float32, so its rounding is of its own size.
    assert 0.1 < solution.relative_residual / residual < 10


def test_a_wrong_solution_has_the_residual_that_numpy_computes(monkeypatch):
    model, images, rows = prepared("norm")
    _, f, g = reference(model, images, rows, 0.1)
    blocks = blocks_of(model, images, rows)
    wrong = normal(len(g), seed=5)
    right = [jacobian.gradient(block.layer) for block in blocks]
    parts = wrong.split([len(part) for part in right])
    residual = jacobian.residual_of(blocks, parts, right, 0.1)
    expected = g - f @ wrong.numpy() - 0.1 * wrong.numpy()
    np.testing.assert_allclose(torch.cat(residual).numpy(), expected, rtol=1e-10, atol=1e-12)
    ratio = np.linalg.norm(expected) / np.linalg.norm(g)
    assert jacobian.relative(residual, right) == pytest.approx(ratio, rel=1e-12)


def test_refinement_lowers_the_residual_of_float32():
    model, images, _ = prepared("norm")
    model, images = model.float(), images.float()
    model.zero_grad()
    F.cross_entropy(model(images), labels(N)).backward()
    blocks = blocks_of(model, images, fisher_rows(model(images)))
    once = jacobian.solve_dual(blocks, 1e-6, tolerance=0.0, refinements=0)
    refined = jacobian.solve_dual(blocks, 1e-6, tolerance=0.0, refinements=4)
    assert refined.relative_residual < 0.5 * once.relative_residual


def least_squares() -> tuple[nn.Linear, torch.Tensor, torch.Tensor, np.ndarray]:
    """A linear regression of 2 targets on 20 examples, with its gradient and its solution."""
    model, images, targets = mlp(4, 2), normal(20, 4), normal(20, 2, seed=9)
    (0.5 * (model(images) - targets).square().sum(dim=1).mean()).backward()
    design = np.concatenate([images.numpy(), np.ones((20, 1))], axis=1)
    return model, images, targets, np.linalg.lstsq(design, targets.numpy(), rcond=None)[0].T


def after_one_step(model: nn.Module, images: torch.Tensor, damping: float) -> np.ndarray:
    rows = [row.expand(20, -1) / 20**0.5 for row in torch.eye(2, dtype=torch.float64)]
    (v,) = jacobian.solve_dense(blocks_of(model, images, rows), damping).vectors
    return (nets.values(model) - v).view(2, 5).numpy()


def test_one_step_solves_linear_least_squares():
    model, images, _, expected = least_squares()
    actual = after_one_step(model, images, 1e-14)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def test_control_a_damped_step_does_not():
    model, images, _, expected = least_squares()
    assert np.abs(after_one_step(model, images, 0.1) - expected).max() > 1e-3


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (nn.GroupNorm(1, 3), "GroupNorm"),
        (nn.Conv2d(3, 3, 1, groups=3), "grouped Conv2d"),
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), "reflect"),
        (nn.PReLU(), "PReLU"),
        (nn.BatchNorm2d(3, track_running_stats=False), "BatchNorm2d"),
        (nn.BatchNorm2d(3, bias=False), "BatchNorm2d"),
    ],
)
def test_a_layer_without_a_known_jacobian_is_named(module, why):
    with pytest.raises(UsageError, match=f"'1' .*{why}"):
        jacobian.whole_network(nn.Sequential(nn.Conv2d(2, 3, 1), module))


def test_layers_without_parameters_are_no_obstacle():
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, affine=False), nn.ReLU())
    assert list(jacobian.whole_network(model)) == ["0"]


def test_control_the_blocks_do_depend_on_the_logit_gradients():
    model, images, rows = prepared("conv")
    this, other = (
        torch.cat([b.rows() for b in blocks_of(model, images, some)], dim=1)
        for some in (rows, rows[::-1])
    )
    assert distance(this, other) > 0.1
