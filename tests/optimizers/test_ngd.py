"""Natural gradient steps against functorch and NumPy; its memory, and what it refuses."""

import copy

import numpy as np
import pytest
import torch
from tests.curvature import nets
from tests.curvature.conftest import one_thread  # noqa: F401
from tests.curvature.nets import CLASSES, distance, labels, mlp, norm_net, normal, objective
from tests.curvature.transformers import transformer
from torch import nn, optim
from torch.nn import functional as F

from optbench.core.errors import NumericalError, UsageError
from optbench.curvature import fisher, jacobian
from optbench.curvature.jacobian import Solution
from optbench.optimizers import kfac, ngd

N = 8
IMAGES, LABELS = normal(N, 2, 6, 6), labels(N)
NO_CLIP = 1e30


def build(model: nn.Module, **arguments) -> ngd.NaturalGradient:
    return ngd.build(model, [{"params": list(model.parameters())}], **{"lr": 0.1, **arguments})


def batches(steps: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(normal(N, 2, 6, 6, seed=10 + t), labels(N, seed=10 + t)) for t in range(steps)]


def hessian(logits: torch.Tensor) -> torch.Tensor:
    """diag(p) - p p^T; [n, classes, classes]."""
    return torch.func.vmap(torch.func.hessian(F.cross_entropy))(
        logits, torch.zeros(len(logits), dtype=torch.long)
    )


def system(model: nn.Module, size: int = N) -> tuple[np.ndarray, np.ndarray]:
    """F on the first `size` images with their statistics as constants, and the batch's gradient."""
    copied = copy.deepcopy(model)
    F.cross_entropy(copied(IMAGES), LABELS).backward()
    g = nets.gradient(copied)
    for module in copied.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.training:
            module.momentum = 1.0
    copied(IMAGES[:size])
    copied.eval()
    j = torch.cat(list(nets.jacobian(copied, IMAGES[:size]).values()), dim=2)
    h = hessian(copied(IMAGES[:size]).detach())
    return (torch.einsum("nci,ncd,ndj->ij", j, h, j) / size).numpy(), g.numpy()


def solved(model: nn.Module, damping: float, size: int = N) -> np.ndarray:
    f, g = system(model, size)
    return np.linalg.solve(f + damping * np.eye(len(g)), g)


def moved(model: nn.Module, **arguments) -> np.ndarray:
    """The direction of one step."""
    before = nets.values(model)
    optimizer = build(model, lr=0.5, momentum=0.0, kl_clip=NO_CLIP, **arguments)
    optimizer.step(objective(model, IMAGES, LABELS))
    return ((before - nets.values(model)) / 0.5).numpy()


@pytest.mark.parametrize("solve", ["dual", "dense"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [N, 5])
def test_a_step_solves_with_the_fisher_matrix_of_functorch(solve, training, size):
    model = norm_net().train(training)
    expected = solved(model, 0.1, size)
    v = moved(model, damping=0.1, solve=solve, curvature_batch=size)
    np.testing.assert_allclose(v, expected, rtol=1e-9, atol=1e-9)
    for wrong in (solved(norm_net().train(training), 0.2, size), expected * 2):
        assert np.linalg.norm(v - wrong) > 0.01 * np.linalg.norm(wrong)


def test_control_running_statistics_are_others_than_the_batchs():
    v, wrong = moved(norm_net().train(), damping=0.1), moved(norm_net().eval(), damping=0.1)
    assert np.linalg.norm(v - wrong) > 0.1 * np.linalg.norm(wrong)


def test_rows_are_exact_up_to_max_rows_and_sampled_beyond():
    optimizer = build(norm_net(), max_rows=N * CLASSES)
    logits = normal(N, CLASSES)
    exact = torch.stack(optimizer.logit_rows(logits))  # [s, n, classes]
    actual = torch.einsum("snc,snd->ncd", exact, exact)
    torch.testing.assert_close(actual, hessian(logits) / N, rtol=1e-12, atol=1e-15)
    for max_rows, samples in [(N * CLASSES - 1, 2), (N, 1), (N - 1, 1), (1, 1)]:
        optimizer.max_rows = max_rows
        rows = optimizer.logit_rows(logits)
        assert len(rows) == samples
        # Each is a probability less a unit vector, over the root of all rows.
        drawn = logits.softmax(dim=1) - torch.stack(rows) * (N * samples) ** 0.5
        torch.testing.assert_close(drawn.max(dim=2).values, torch.ones(samples, N).double())
        torch.testing.assert_close(drawn.sum(dim=2), torch.ones(samples, N).double())


def test_sampled_rows_tend_to_the_exact_ones():
    many = normal(N, CLASSES).repeat(3000, 1)
    optimizer = build(norm_net(), max_rows=2 * len(many))
    rows = torch.stack(optimizer.logit_rows(many))
    assert len(rows) == 2
    actual, expected = torch.einsum("snc,snd->cd", rows, rows), hessian(many).mean(dim=0)
    assert distance(actual, expected) < 0.02
    assert distance(2 * actual, expected) > 0.5  # the control: samples not averaged


def test_the_reported_residual_is_the_solutions(monkeypatch):
    model = norm_net()
    f, g = system(model)
    right = np.linalg.solve(f + 0.1 * np.eye(len(g)), g)
    wrong = right + 1e-4 * normal(len(g), seed=5).numpy() * np.linalg.norm(right) / len(g) ** 0.5
    residual = np.linalg.norm(f @ wrong + 0.1 * wrong - g) / np.linalg.norm(g)

    def solve_dense(blocks, damping):
        gradients = [jacobian.gradient(block.layer) for block in blocks]
        parts = torch.tensor(wrong).split([len(part) for part in gradients])
        left = jacobian.residual_of(blocks, parts, gradients, damping)
        return Solution(parts, jacobian.relative(left, gradients))

    monkeypatch.setattr(jacobian, "solve_dense", solve_dense)
    optimizer = build(model, solve="dense", damping=0.1)
    optimizer.step(objective(model, IMAGES, LABELS))
    assert optimizer.diagnostics()["relative_residual"] == pytest.approx(residual, rel=1e-8)


@pytest.mark.parametrize(("residual", "is_refused"), [
    (0.9e-3, False), (1.1e-3, True), (float("nan"), True),
])  # fmt: skip
def test_a_solution_with_a_large_residual_is_an_error_and_moves_nothing(
    residual, is_refused, monkeypatch
):
    model = norm_net()
    right = jacobian.solve_dual

    def solve_dual(*args, **kwargs):
        return Solution(right(*args, **kwargs).vectors, residual)

    monkeypatch.setattr(jacobian, "solve_dual", solve_dual)
    optimizer = build(model, damping=0.1)
    step = objective(model, IMAGES, LABELS)
    if not is_refused:
        optimizer.step(step)
        return
    with pytest.raises(NumericalError, match=r"residual is .* at step 1, .*raise damping, now 0.1"):
        optimizer.step(step)
    assert torch.equal(nets.values(model), nets.values(norm_net()))


def test_a_gradient_that_is_not_finite_is_left_to_the_loss():
    model = norm_net()
    images = IMAGES.clone()
    images[0, 0, 0, 0] = torch.inf
    loss = build(model).step(objective(model, images, LABELS))
    assert not torch.isfinite(loss)


def resumed_equals(*, stop: int = 3, lose=None, **arguments) -> bool:
    """As `nets.resumed_equals`."""
    return nets.resumed_equals(
        lambda model: build(model, **arguments), batches(stop + 4), stop, lose=lose
    )


@pytest.mark.parametrize("solve", ["dual", "dense"])
@pytest.mark.parametrize("max_rows", [N, N * CLASSES])
def test_a_run_goes_on_to_the_bit(solve, max_rows):
    assert resumed_equals(solve=solve, max_rows=max_rows)


@pytest.mark.parametrize(
    "lose",
    [
        lambda optimizer: optimizer.generator.manual_seed(5),
        lambda optimizer: optimizer.state.clear(),
    ],
)
def test_control_without_a_part_of_its_state_it_does_not(lose):
    assert not resumed_equals(max_rows=N, lose=lose)


def test_a_step_leaves_hooks_modes_buffers_and_gradients_as_sgd_does():
    ours, theirs = norm_net(), norm_net()
    build(ours).step(objective(ours, IMAGES, LABELS))
    optim.SGD(theirs.parameters(), lr=0.1).step(objective(theirs, IMAGES, LABELS))
    assert all(map(torch.equal, ours.buffers(), theirs.buffers()))
    assert not all(map(torch.equal, ours.buffers(), norm_net().buffers()))  # the pass does write
    for this, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(this.grad, other.grad)
        assert not torch.equal(this, other)
    for this, other in zip(ours.modules(), theirs.modules(), strict=True):
        for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks"):
            assert not getattr(this, kind)
        assert this.training == other.training
        assert getattr(this, "momentum", None) == getattr(other, "momentum", None)


def test_passes_outside_a_step_change_nothing():
    model = norm_net()
    optimizer = build(model)
    optimizer.step(objective(model, IMAGES, LABELS))
    before, values = copy.deepcopy(optimizer.state_dict()), nets.values(model)
    with torch.no_grad():
        model(IMAGES)
    model.eval()(IMAGES)
    torch.testing.assert_close(optimizer.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(nets.values(model), values)


@pytest.mark.parametrize("optimizer", [kfac, ngd])
def test_what_an_optimizer_declares_is_what_its_steps_take(optimizer):
    """`validate` reads the one from the source, a step asks the other."""
    assert optimizer.LIKELIHOODS == fisher.LIKELIHOODS


def test_a_layer_without_a_known_jacobian_is_refused_and_named():
    model = nets.seeded(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(UsageError, match=r"'1' \(GroupNorm\)"):
        build(model)


def test_the_layers_that_it_declares_are_those_whose_jacobian_is_known():
    """`validate` reads the ones from the source, `build` asks for the others."""
    one_of_each = [
        nn.Linear(3, 3), nn.Conv2d(3, 3, 3), nn.BatchNorm1d(3), nn.BatchNorm2d(3),
        nn.Embedding(3, 3), nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.Conv1d(3, 3, 3), nn.PReLU(),
        nn.MultiheadAttention(3, 1), nn.LSTM(3, 3), nn.Bilinear(3, 3, 3),
    ]  # fmt: skip
    known = [type(m).__name__ for m in one_of_each if jacobian.unsupported(m) is None]
    assert sorted(known) == sorted(ngd.LAYERS)


def test_a_transformer_is_refused_and_its_layers_named():
    with pytest.raises(UsageError) as raised:
        build(transformer(blocks=1))
    for said in ("'embedding' (Embedding)", "'blocks.0.norm1' (LayerNorm)", "K-FAC moves such"):
        assert said in str(raised.value)


def test_losses_of_tokens_are_refused():
    model = mlp(3, 4, CLASSES)
    with pytest.raises(UsageError, match=r"takes logits \[n, classes\], got \[8, 2, 3\]"):
        build(model).step(objective(model, normal(N, 2, 3), labels(2 * N).view(N, 2)))
    build(model).step(objective(model, normal(N, 3), labels(N)))  # the control


def test_a_shared_parameter_is_refused_and_its_layers_named():
    model = mlp(3, 3, 3)
    model[2].weight = model[0].weight
    with pytest.raises(UsageError, match="'0' and '2' share a parameter"):
        build(model)


def test_a_frozen_layer_is_refused_and_named():
    model = mlp(3, 3, 3)
    model[2].bias.requires_grad_(False)
    with pytest.raises(UsageError, match=r"'2' \(frozen, at least in part\)"):
        build(model)


def test_a_layer_outside_of_the_forward_pass_is_refused_and_named():
    class Partial(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = (nn.Linear(3, CLASSES).double() for _ in range(2))

        def forward(self, x):
            return self.used(x)

    model = Partial()
    with pytest.raises(UsageError, match="layers idle take no part in the forward pass"):
        build(model).step(objective(model, normal(N, 3), LABELS))


def test_a_layer_called_twice_is_refused_and_named():
    layer = nn.Linear(3, CLASSES).double()
    model = nn.Sequential(layer, nn.Tanh(), layer)
    with pytest.raises(UsageError, match="layer '0' is called twice"):
        build(model).step(objective(model, normal(N, 3), LABELS))
