"""K-FAC steps against curvlinops and NumPy; its invariance, its memory, and what it refuses."""

import copy
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from curvlinops import FisherType, KFACLinearOperator, KFACType
from tests.curvature import nets
from tests.curvature.conftest import one_thread  # noqa: F401
from tests.curvature.nets import (
    CLASSES,
    conv_net,
    distance,
    factors,
    labels,
    matrices,
    mlp,
    norm_net,
    normal,
    objective,
)
from tests.curvature.transformers import (
    TOKENS,
    VOCABULARY,
    public_blocks,
    tokens,
    transformer,
)
from torch import nn, optim
from torch.nn import functional as F

from optbench.core import registry, roles
from optbench.core.errors import UsageError
from optbench.core.world import ALONE
from optbench.curvature import kronecker
from optbench.models import cnn
from optbench.optimizers import kfac
from optbench.params import signatures
from optbench.training.loop import Learner

N = 12
IMAGES, LABELS = normal(N, 2, 7, 8), labels(N)
SMALL = normal(N, 2, 6, 6)
NO_CLIP = 1e30


def build(model: nn.Module, **arguments) -> kfac.KFAC:
    return kfac.build(model, [{"params": list(model.parameters())}], **{"lr": 0.1, **arguments})


def plain(model: nn.Module, **arguments) -> kfac.KFAC:
    """An optimizer that measures at each step, and forgets the last one."""
    every = {"t_cov": 1, "t_inv": 1, "ema": 0.0, "momentum": 0.0, "kl_clip": NO_CLIP}
    return build(model, **{"fisher": "type2", "solve": "eigen", **every, **arguments})


def batches(steps: int, size: tuple[int, ...] = (2, 6, 6)) -> list[tuple[torch.Tensor, ...]]:
    return [(normal(N, *size, seed=10 + t), labels(N, seed=10 + t)) for t in range(steps)]


# Directions


def public_directions(model, approx: KFACType, damping: float) -> list[torch.Tensor]:
    """Each parameter's (A (x) G + damping I)^-1 g, from curvlinops' matrix and NumPy."""
    operator = KFACLinearOperator(
        model,
        nn.CrossEntropyLoss(),
        list(model.parameters()),
        [(IMAGES, LABELS)],
        fisher_type=FisherType.TYPE2,
        kfac_approx=approx,
        separate_weight_and_bias=False,
        check_deterministic=False,
    )
    count = sum(p.numel() for p in model.parameters())
    dense = (operator @ torch.eye(count, dtype=torch.float64)).numpy()
    model.zero_grad()
    F.cross_entropy(model(IMAGES), LABELS).backward()
    g = torch.cat([p.grad.flatten() for p in model.parameters()]).numpy()
    v = torch.tensor(np.linalg.solve(dense + damping * np.eye(count), g))
    sizes = [p.numel() for p in model.parameters()]
    return [part.view(p.shape) for p, part in zip(model.parameters(), v.split(sizes), strict=True)]


@pytest.mark.parametrize("approx", ["expand", "reduce"])
@pytest.mark.parametrize("damping", [1e-1, 1e-3])
def test_a_step_moves_along_the_direction_of_curvlinops_matrix(approx, damping):
    model = conv_net()
    kind = KFACType.EXPAND if approx == "expand" else KFACType.REDUCE
    expected = public_directions(conv_net(), kind, damping)
    plain(model, lr=0.5, damping=damping, approx=approx).step(objective(model, IMAGES, LABELS))
    for p, old, v in zip(model.parameters(), conv_net().parameters(), expected, strict=True):
        torch.testing.assert_close((old - p) / 0.5, v, rtol=1e-8, atol=1e-10)
    other = public_directions(conv_net(), kind, 2 * damping)
    assert max(distance(o, v) for o, v in zip(other, expected, strict=True)) > 0.1


def test_cholesky_moves_along_the_inverses_of_two_damped_factors():
    model, damping = mlp(4, 5, CLASSES), 1e-3
    images = normal(N, 4)
    a_and_g = factors(model, images, LABELS, "type2")
    step = plain(model, lr=1.0, damping=damping, solve="cholesky").step
    step(objective(model, images, LABELS))
    for name, layer in matrices(model).items():
        a, g = (factor.numpy() for factor in a_and_g[name])
        pi = np.sqrt((np.trace(a) / len(a)) / (np.trace(g) / len(g)))
        left = np.linalg.inv(g + damping**0.5 / pi * np.eye(len(g)))
        right = np.linalg.inv(a + damping**0.5 * pi * np.eye(len(a)))
        gradient = torch.cat([layer.weight.grad, layer.bias.grad[:, None]], dim=1).numpy()
        v = left @ gradient @ right
        old = matrices(mlp(4, 5, CLASSES))[name]
        np.testing.assert_allclose(old.weight.detach() - layer.weight.detach(), v[:, :-1], 1e-8)
        np.testing.assert_allclose(old.bias.detach() - layer.bias.detach(), v[:, -1], 1e-8)


def functions_after_three_steps(damping: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of a network, and of one that sees its inputs as x M^T + b."""
    n = 60
    images, targets = normal(n, 3), labels(n)
    m, b = normal(3, 3, seed=4) + 2 * torch.eye(3), normal(3, seed=5)
    actual = []
    for moved in (False, True):
        model = mlp(3, 4, CLASSES)
        inputs = images @ m.T + b if moved else images
        if moved:
            with torch.no_grad():
                model[0].weight.copy_(model[0].weight @ torch.linalg.inv(m))
                model[0].bias -= model[0].weight @ b
        optimizer = plain(model, damping=damping, curvature_batch=n)
        start = model(inputs).log_softmax(dim=1).detach()
        for _ in range(3):
            optimizer.step(objective(model, inputs, targets))
        actual.append(model(inputs).log_softmax(dim=1).detach())
        assert distance(actual[-1], start) > 0.01
    return actual[0], actual[1]


def test_an_affine_change_of_the_inputs_changes_no_function():
    this, other = functions_after_three_steps(1e-14)
    torch.testing.assert_close(this, other, rtol=1e-8, atol=1e-8)


def test_control_under_damping_it_does():
    this, other = functions_after_three_steps(1e-2)
    assert (this - other).abs().max() > 0.1


def trained_on_noise(damping: float) -> kfac.KFAC:
    model = cnn.build(channels=1, classes=CLASSES, sides=(8, 8), width=4).double()
    optimizer = build(model, damping=damping, t_cov=2, lr=0.01)
    for images, targets in batches(6, (1, 8, 8)):
        optimizer.step(objective(model, images, targets))
    return optimizer


def test_curvature_turns_the_gradient_of_convolutions():
    assert trained_on_noise(1e-3).diagnostics()["conv_cosine"] < 0.95


def test_control_where_damping_outweighs_curvature_it_does_not():
    assert trained_on_noise(1e6).diagnostics()["conv_cosine"] > 0.999


# Averages, failures and memory


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_equal_updates_leave_the_debiased_averages_at_the_factors(steps):
    model, ema, damping = conv_net(), 0.9, 1e-3
    optimizer = plain(model, lr=0.0, ema=ema, damping=damping)
    for _ in range(steps):
        optimizer.step(objective(model, IMAGES, LABELS))
    for name, pair in factors(model, IMAGES, LABELS, "type2").items():
        state = optimizer.state[matrices(model)[name].weight]
        debias = 1 - ema**steps
        for key, factor in zip(("input_factor", "output_factor"), pair, strict=True):
            torch.testing.assert_close(state[key] / debias, factor, rtol=1e-12, atol=1e-14)
            from_identity = ema**steps * torch.eye(len(factor)) + debias * factor
            assert distance(from_identity, factor) > 0.1
        of_a, of_g = (np.linalg.eigvalsh(factor) for factor in pair)
        spectrum = np.outer(of_g, of_a) + damping
        np.testing.assert_allclose(state["spectrum"], spectrum, rtol=1e-11, atol=1e-14)
        biased = torch.tensor(debias**2 * (spectrum - damping) + damping)
        assert distance(biased, state["spectrum"]) > 0.01


def test_averages_are_exponential_in_the_factors_of_their_batches():
    model, ema = norm_net(), 0.8
    optimizer = plain(model, lr=0.0, ema=ema)
    seen = []
    for images, targets in batches(3):
        optimizer.step(objective(model, images, targets))
        seen.append(factors(model, images, targets, "type2")["0"][0])
    expected = sum((1 - ema) * ema ** (2 - t) * factor for t, factor in enumerate(seen))
    actual = optimizer.state[model[0].weight]["input_factor"]
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-14)


def test_curvature_is_taken_on_the_first_examples_alone():
    model = conv_net()
    optimizer = plain(model, curvature_batch=5, lr=0.0)
    optimizer.step(objective(model, IMAGES, LABELS))
    a, g = factors(model, IMAGES[:5], LABELS[:5], "type2")["0"]
    state = optimizer.state[model[0].weight]
    torch.testing.assert_close(state["input_factor"], a, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(state["output_factor"], g, rtol=1e-12, atol=1e-14)
    assert distance(factors(model, IMAGES, LABELS, "type2")["0"][0], a) > 0.01


def steps_of(kind: str, last: int, **every) -> list[int]:
    optimizer = build(mlp(2, CLASSES), **every)
    return [step for step in range(last + 1) if optimizer.kind(step) == kind]


def test_inversions_come_often_at_the_beginning_and_then_every_t_inv_steps():
    every = {"t_cov": 5, "t_inv": 50}
    assert steps_of("inversion", 100, **every) == [0, 5, 10, 20, 40, 50, 100]
    measured = {*steps_of("inversion", 100, **every), *steps_of("curvature", 100, **every)}
    assert measured == set(range(0, 101, 5))


def test_where_t_inv_is_no_multiple_of_t_cov_the_next_pass_inverts():
    assert steps_of("inversion", 41, t_cov=4, t_inv=10) == [0, 4, 8, 12, 20, 32, 40]


@pytest.mark.parametrize(("t_cov", "t_inv"), [(5, 50), (1, 1), (10, 5), (4, 10), (3, 7)])
def test_the_kinds_of_steps_come_round_after_the_period(t_cov, t_inv):
    optimizer = build(mlp(2, CLASSES), t_cov=t_cov, t_inv=t_inv)
    period = optimizer.period
    start = -(-t_inv // period) * period  # behind the beginning
    kinds = [optimizer.kind(start + step) for step in range(3 * period)]
    assert kinds[:period] * 3 == kinds


def inverses(optimizer: kfac.KFAC) -> list[torch.Tensor]:
    wanted = ("input_inverse", "output_inverse", "input_basis", "output_basis", "spectrum")
    return [s[k].clone() for s in optimizer.state.values() for k in wanted if k in s]


def same(this: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(this) == len(other) and all(map(torch.equal, this, other))


@pytest.mark.parametrize("solve", ["eigen", "cholesky"])
@pytest.mark.parametrize("culprit", ["factors", "finite_or_none"])
def test_what_is_not_finite_is_counted_and_the_old_inverses_stay(solve, culprit, monkeypatch):
    model = norm_net()
    optimizer = build(model, t_cov=1, t_inv=1, solve=solve)
    first, second, third = batches(3)
    optimizer.step(objective(model, *first))
    old = inverses(optimizer)
    count = len(matrices(model))
    assert optimizer.failures == 0
    assert len(old) == count * (3 if solve == "eigen" else 2)
    with monkeypatch.context() as patch:
        right = kronecker.factors
        nan = {
            "factors": lambda *args: {k: (a * torch.nan, g) for k, (a, g) in right(*args).items()},
            "finite_or_none": lambda *args: None,
        }
        patch.setattr(kronecker, culprit, nan[culprit])
        optimizer.step(objective(model, *second))
    assert optimizer.diagnostics()["failures"] == count
    if culprit == "finite_or_none":
        assert same(inverses(optimizer), old)
    for state in (optimizer.state[layer.weight] for layer in matrices(model).values()):
        assert torch.isfinite(state["input_factor"]).all()
    optimizer.step(objective(model, *third))
    assert not same(inverses(optimizer), old)  # the control
    assert optimizer.failures == count
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_where_nothing_was_ever_finite_the_direction_is_the_gradient(monkeypatch):
    model = norm_net()
    monkeypatch.setattr(kronecker, "finite_or_none", lambda *args: None)
    plain(model, lr=0.5).step(objective(model, SMALL, LABELS))
    for p, old in zip(model.parameters(), norm_net().parameters(), strict=True):
        torch.testing.assert_close(p, old - 0.5 * p.grad, rtol=1e-12, atol=1e-14)


def resumed_equals(solve: str, t_inv: int, stop: int, *, lose=None) -> bool:
    """As `nets.resumed_equals`, with some failures counted before."""
    arguments = {"t_cov": 2, "t_inv": t_inv, "solve": solve, "lr": 0.05}
    return nets.resumed_equals(
        lambda model: build(model, **arguments),
        batches(stop + 4),
        stop,
        before_saving=lambda optimizer: setattr(optimizer, "failures", 2),
        lose=lose,
    )


@pytest.mark.parametrize("solve", ["eigen", "cholesky"])
@pytest.mark.parametrize(("t_inv", "stop"), [(5, 3), (8, 7)])
def test_a_run_goes_on_from_the_middle_of_an_interval_to_the_bit(solve, t_inv, stop):
    assert resumed_equals(solve, t_inv, stop)


@pytest.mark.parametrize(
    "lose",
    [
        lambda optimizer: optimizer.update_inverses(),  # from the factors alone
        lambda optimizer: optimizer.generator.manual_seed(5),
        lambda optimizer: setattr(optimizer, "steps", 0),
    ],
)
def test_control_without_a_part_of_its_state_it_does_not(lose):
    assert not resumed_equals("cholesky", 8, 7, lose=lose)


# What a step leaves alone


def test_passes_outside_a_step_change_nothing():
    model = norm_net()
    optimizer = build(model)
    optimizer.step(objective(model, SMALL, LABELS))
    before = copy.deepcopy(optimizer.state_dict())
    parameters = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        model(SMALL)
    model.eval()(SMALL)
    torch.testing.assert_close(optimizer.state_dict(), before, rtol=0, atol=0)
    assert same(list(model.parameters()), parameters)


def test_a_step_leaves_hooks_modes_buffers_and_gradients_as_sgd_does():
    ours, theirs = norm_net(), norm_net()
    build(ours, t_cov=1, fisher="type2").step(objective(ours, SMALL, LABELS))
    optim.SGD(theirs.parameters(), lr=0.1).step(objective(theirs, SMALL, LABELS))
    assert same(list(ours.buffers()), list(theirs.buffers()))
    assert not same(list(ours.buffers()), list(norm_net().buffers()))  # the pass itself does write
    assert same([p.grad for p in ours.parameters()], [p.grad for p in theirs.parameters()])
    for this, other in zip(ours.modules(), theirs.modules(), strict=True):
        for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks"):
            assert not getattr(this, kind)
        assert this.training == other.training
        assert getattr(this, "momentum", None) == getattr(other, "momentum", None)


# Who gets a block


def test_layers_without_a_block_are_named_and_move_along_their_gradient(caplog):
    model = nets.seeded(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(2, 2, 3, padding="same"),
        nn.Flatten(),
        nn.Linear(32, CLASSES),
    )
    taken, left_out = kfac.partition(model, max_dim=30)
    assert list(taken) == ["0"]
    assert left_out.keys() == {"1", "2", "3", "4", "6"}
    for name, why in {"1": "BatchNorm2d", "2": "grouped", "3": "reflect", "4": "same"}.items():
        assert why in left_out[name]
    assert "max_dim = 30" in left_out["6"]
    assert "6" in kfac.partition(model, max_dim=33)[0]  # the bias counts

    with caplog.at_level(logging.INFO):
        optimizer = build(model, max_dim=30, fallback_lr=0.02, weight_decay=0.1, lr=0.1)
    for name in left_out:
        assert f"{name} (" in caplog.text
    rest = [p for n, p in model.named_parameters() if n.split(".")[0] in left_out]
    expected = [p.detach().clone() for p in rest]
    buffers = [torch.zeros_like(p) for p in rest]
    for images, targets in batches(3):
        optimizer.step(objective(model, images, targets))
        buffers = [0.9 * b + p.grad for b, p in zip(buffers, rest, strict=True)]
        expected = [(1 - 0.02 * 0.1) * e - 0.02 * b for e, b in zip(expected, buffers, strict=True)]
    for p, e in zip(rest, expected, strict=True):
        torch.testing.assert_close(p.detach(), e, rtol=1e-12, atol=1e-14)


def test_groups_keep_their_decay_and_the_rest_its_own_lr():
    model = norm_net()
    large = [p for p in model.parameters() if p.ndim > 1]
    small = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": large}, {"params": small, "weight_decay": 0.0}]
    optimizer = kfac.build(model, groups, lr=0.1, weight_decay=0.5, fallback_lr=0.3)
    actual = {
        p: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert actual[model[0].weight] == (0.1, 0.5)
    assert actual[model[0].bias] == (0.1, 0.0)
    assert actual[model[1].weight] == (0.3, 0.0)
    assert len(actual) == len(list(model.parameters()))


def test_a_shared_parameter_is_refused_and_its_layers_named():
    model = mlp(3, 3, 3)
    model[2].weight = model[0].weight
    with pytest.raises(UsageError, match="layers '0' and '2' share a parameter"):
        build(model)


def test_a_layer_called_twice_is_refused_and_named():
    layer = nn.Linear(3, CLASSES).double()
    model = nn.Sequential(layer, nn.Tanh(), layer)
    with pytest.raises(UsageError, match="layer '0' is called twice"):
        build(model).step(objective(model, normal(N, 3), LABELS))


@pytest.mark.parametrize("frozen", ["0.weight", "0.bias", "4.bias"])
def test_a_layer_that_is_frozen_in_part_is_named_and_gets_no_block(frozen):
    model = conv_net()
    model.get_parameter(frozen).requires_grad_(False)
    before = {name: p.clone() for name, p in model.named_parameters()}
    optimizer = plain(model)
    name = frozen.partition(".")[0]
    assert kfac.partition(model, None)[1][name] == "frozen, at least in part"
    optimizer.step(objective(model, IMAGES, LABELS))
    stayed = [n for n, p in model.named_parameters() if torch.equal(p, before[n])]
    assert stayed == [frozen]


def test_a_frozen_layer_stays_and_the_others_move():
    model = norm_net()
    model[3].requires_grad_(False)
    build(model, weight_decay=0.1).step(objective(model, SMALL, LABELS))
    assert torch.equal(model[3].weight, norm_net()[3].weight)
    assert not torch.equal(model[7].weight, norm_net()[7].weight)


# Transformers


def test_what_descends_along_its_gradient_in_a_transformer_is_named(caplog):
    model = transformer(blocks=1)
    with caplog.at_level(logging.INFO):
        optimizer = build(model)
    assert list(optimizer.layers) == [f"blocks.0.{x}" for x in ("qkv", "proj", "up", "down")] + [
        "head"
    ]
    for said in ("5 layers", "parameters (Transformer)", "embedding (Embedding)",
                 "blocks.0.norm1 (LayerNorm)", "norm (LayerNorm)"):  # fmt: skip
        assert said in caplog.text


def test_a_head_tied_to_the_embedding_is_refused():
    model = transformer()
    model.head.weight = model.embedding.weight
    with pytest.raises(UsageError, match="layers 'embedding' and 'head' share a parameter"):
        build(model)


class Attention(nn.Module):
    """Attention of torch's, and layers that are called or whose weight alone is used."""

    def __init__(self, *, calls: bool) -> None:
        super().__init__()
        self.calls = calls
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.used, self.head = nn.Linear(4, 4), nn.Linear(4, VOCABULARY)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, _ = self.attention(x, x, x, need_weights=False)
        x = self.used(x) if self.calls else F.linear(x, self.used.weight, self.used.bias)
        return self.head(x.tanh())


def test_torchs_own_attention_gets_no_block_and_says_why():
    model, inputs, targets = Attention(calls=True).double(), normal(N, 3, 4), tokens(N, length=3)
    taken, left_out = kfac.partition(model, None)
    assert list(taken) == ["used", "head"]
    assert left_out == {
        "attention": "MultiheadAttention",
        "attention.out_proj": "Linear inside MultiheadAttention",
    }
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    plain(model, lr=0.5).step(objective(model, inputs, targets))
    for name, p in model.named_parameters():
        is_gradient = torch.allclose(before[name] - p, 0.5 * p.grad, rtol=1e-9, atol=1e-12)
        assert is_gradient == name.startswith("attention")


def test_a_layer_whose_weight_is_used_without_a_call_is_refused_and_named():
    inputs, targets = normal(N, 3, 4), tokens(N, length=3)
    model = Attention(calls=False).double()
    with pytest.raises(UsageError, match="layer 'used' has a gradient, but the forward pass never"):
        build(model).step(objective(model, inputs, targets))
    model.used.requires_grad_(False)  # the control
    build(model).step(objective(model, inputs, targets))


def test_a_factor_above_the_limit_is_refused_with_its_size_and_the_way_out():
    model = nn.Sequential(nn.Linear(8191, 1), nn.Linear(1, 8192))
    assert len(build(model).layers) == 2
    model.append(nn.Linear(8192, 1))
    message = (
        r"layer '2' has a factor of shape \[8193, 8193\], 268,500,996 bytes, .*"
        r"write max_dim: 8192 into its row"
    )
    with pytest.raises(UsageError, match=message):
        build(model)
    assert list(build(model, max_dim=8192).layers) == ["0", "1"]
    assert len(build(model, max_dim=8193).layers) == 3


def test_curvature_is_taken_on_sequences_and_not_on_tokens():
    inputs, targets = tokens(N), tokens(N, seed=3)
    model = transformer()
    optimizer = plain(model, curvature_batch=5, lr=0.0)
    optimizer.step(objective(model, inputs, targets))
    right = factors(model, inputs[:5], targets[:5], "type2")
    wrong = factors(model, inputs[: 5 // TOKENS], targets[: 5 // TOKENS], "type2")
    for name, layer in matrices(model).items():
        state = optimizer.state[layer.weight]
        for key, this, other in zip(
            ("input_factor", "output_factor"), right[name], wrong[name], strict=True
        ):
            torch.testing.assert_close(state[key], this, rtol=1e-12, atol=1e-14)
            assert distance(state[key], other) > 0.01


# In the common loop


class Classification:
    """Of batches of images and labels, or of tokens and those that follow."""

    likelihood = "categorical"

    def inputs(self, batch):
        return batch[0]

    def targets(self, batch):
        return batch[1]

    def loss(self, outputs, batch):
        return F.cross_entropy(outputs.flatten(0, -2), batch[1].flatten())


def learner(name: str, precision: str = "fp32", *, lr: float = 0.01, **arguments) -> Learner:
    torch.manual_seed(0)
    model = cnn.build(channels=1, classes=CLASSES, sides=(8, 8), width=4)
    model = model.to(memory_format=torch.channels_last)
    groups = roles.param_groups(model, cnn.HEADS)
    optimizer = registry.load("optimizers", name).build(model, groups, lr=lr, **arguments)
    return Learner(
        model=model,
        forward=model,
        averaging=model,
        optimizer=optimizer,
        task=Classification(),
        precision=precision,
        device=torch.device("cpu"),
        world=ALONE,
    )


def losses(this: Learner, steps: int = 8) -> list[float]:
    """On one batch of noise, learnt by heart."""
    images = normal(N, 1, 8, 8).float().to(memory_format=torch.channels_last)
    return [this.step((images, LABELS))[0].item() for _ in range(steps)]


@pytest.mark.parametrize("name", signatures.names("optimizers"))
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_optimizer_goes_through_the_same_step(name, precision):
    rule = {"prodigy": 1.0}  # its estimate takes the place of a small lr, and time to grow
    actual = losses(learner(name, precision, lr=rule.get(name, 0.01)), 30 if name in rule else 8)
    assert actual[-1] < 0.9 * actual[0]


def test_bfloat16_factors_are_float32_and_near_those_of_float32():
    short, full = (
        learner("kfac", precision, fisher="empirical", ema=0.0) for precision in ("bf16", "fp32")
    )
    losses(short, 1)
    losses(full, 1)
    keys = ("input_factor", "output_factor")
    actual, expected = (
        [this.optimizer.state[layer.weight][key] for layer in this.optimizer.layers.values()
         for key in keys]
        for this in (short, full)
    )  # fmt: skip
    assert {factor.dtype for factor in actual} == {torch.float32}
    distances = list(map(distance, actual, expected))
    assert 1e-5 < max(distances) < 0.02  # bfloat16 was in use


def language_model(precision: str, **arguments) -> Learner:
    model = transformer().float()
    every = {"lr": 0.5, "damping": 1e-2, "solve": "cholesky", "fisher": "empirical"}
    return Learner(
        model=model,
        forward=model,
        averaging=model,
        optimizer=plain(model, **{**every, **arguments}),
        task=Classification(),
        precision=precision,
        device=torch.device("cpu"),
        world=ALONE,
    )


def preconditioned(
    state: dict[str, torch.Tensor], layer: nn.Linear, damping: float = 1e-2
) -> np.ndarray:
    """The direction of a layer's weight by NumPy in float64, from its factors and gradient."""
    a, g = (state[key].double().numpy() for key in ("input_factor", "output_factor"))
    pi = np.sqrt((np.trace(a) / len(a)) / (np.trace(g) / len(g)))
    parts = [layer.weight.grad] + ([] if layer.bias is None else [layer.bias.grad[:, None]])
    gradient = torch.cat(parts, dim=1).double().numpy()
    left = np.linalg.inv(g + damping**0.5 / pi * np.eye(len(g)))
    v = left @ gradient @ np.linalg.inv(a + damping**0.5 * pi * np.eye(len(a)))
    return v[:, : layer.weight.shape[1]]


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 2e-2)])
def test_a_language_model_moves_along_the_direction_of_its_factors(precision, tolerance):
    this, batch = language_model(precision), (tokens(N), tokens(N, seed=3))
    this.step(batch)
    assert this.optimizer.is_bf16 == (precision == "bf16")
    exact = public_blocks(transformer(), *batch, FisherType.EMPIRICAL, "expand")
    old = matrices(transformer().float())
    for name, layer in this.optimizer.layers.items():
        state = this.optimizer.state[layer.weight]
        moved = (old[name].weight - layer.weight).detach().double() / 0.5
        v = torch.tensor(preconditioned(state, layer))
        assert distance(moved, v) < tolerance
        wrong = torch.tensor(preconditioned(state, layer, damping=2e-2))
        assert distance(moved, wrong) > 2 * tolerance
        # The factors themselves, which bfloat16 rounds on the network's way, are of the right size.
        a, g = (state[key] for key in ("input_factor", "output_factor"))
        assert a.dtype == g.dtype == torch.float32
        ours = nets.block(a.double(), g.double())
        assert distance(ours, exact[name]) < {"fp32": 1e-4, "bf16": 0.1}[precision]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("approx", ["expand", "reduce"])
def test_a_language_model_learns_faster_than_along_its_gradient(precision, approx):
    batch = (tokens(N), tokens(N, seed=3))
    last = {}
    for damping in (1e-2, 1e6):  # above, curvature is nothing: the gradient, 1e-6 times
        arguments = {"fisher": "mc", "damping": damping, "approx": approx, "momentum": 0.9}
        this = language_model(precision, **arguments, lr=0.01 * max(1, damping), fallback_lr=0.01)
        last[damping] = [this.step(batch)[0].item() for _ in range(15)][-1]
    assert last[1e-2] < 0.9 * last[1e6]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_compiled_forward_pass_changes_nothing_for_curvature(precision):
    eager, other = learner("kfac", precision), learner("kfac", precision)
    compiled = replace(other, forward=torch.compile(other.model))
    this, two = losses(eager), losses(compiled)
    assert two[-1] < 0.9 * two[0]
    np.testing.assert_allclose(this[:5], two[:5], rtol=1e-4 if precision == "fp32" else 0.05)
