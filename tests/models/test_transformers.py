"""The block against torch's own attention; what each network looks at, declares and learns."""

import math

import numpy as np
import pytest
import torch
from tests.conftest import digits_run
from tests.training.probes import trained
from torch import nn
from torch.nn import functional as F

from optbench.core.errors import UsageError
from optbench.core.roles import HEAD, HIDDEN, VECTOR, param_groups
from optbench.core.run import Budget
from optbench.curvature.layers import owners
from optbench.models import gpt, vit
from optbench.models.transformer import Attention, Block
from optbench.params import signatures

MATRICES = ("attention.query", "attention.key", "attention.value", "attention.out", "up", "down")


def small_gpt(**arguments) -> nn.Module:
    torch.manual_seed(0)
    shape = {"vocabulary": 11, "context": 12, "layers": 2, "width": 16, "heads": 4, **arguments}
    return gpt.build(**shape)


def small_vit(**arguments) -> nn.Module:
    torch.manual_seed(0)
    shape = {"channels": 3, "classes": 10, "sides": (8, 4), "layers": 2, "width": 16, **arguments}
    return vit.build(**shape)


def by_role(model: nn.Module, heads) -> dict[str, set[str]]:
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = param_groups(model, heads)
    return {group["role"]: {names[p] for p in group["params"]} for group in groups}


@pytest.mark.parametrize("causal", [True, False])
def test_attention_is_torchs(causal):
    torch.manual_seed(0)
    attention = Attention(12, 3, causal=causal).double()
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    q, k, v = (
        F.linear(x, part.weight).view(2, 7, 3, 4).transpose(1, 2)
        for part in (attention.query, attention.key, attention.value)
    )

    def by_torch(is_causal: bool) -> torch.Tensor:
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
        return F.linear(mixed.transpose(1, 2).reshape(2, 7, 12), attention.out.weight)

    torch.testing.assert_close(attention(x), by_torch(causal))
    assert (attention(x) - by_torch(not causal)).abs().max() > 0.01  # the control


def test_the_block_is_its_formula():
    torch.manual_seed(0)
    block = Block(8, 2, causal=True).double()
    for norm in (block.attention_norm, block.perceptron_norm):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x = torch.randn(2, 5, 8, dtype=torch.float64)

    def normalised(values: np.ndarray, norm: nn.LayerNorm) -> np.ndarray:
        centred = values - values.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()

    with torch.no_grad():
        first = torch.from_numpy(normalised(x.numpy(), block.attention_norm))
        middle = x.numpy() + block.attention(first).numpy()
        hidden = normalised(middle, block.perceptron_norm) @ block.up.weight.numpy().T
        expected = middle + np.maximum(hidden, 0) ** 2 @ block.down.weight.numpy().T
        np.testing.assert_allclose(block(x).numpy(), expected, rtol=1e-10)
        linear = middle + np.maximum(hidden, 0) @ block.down.weight.numpy().T
        assert np.abs(block(x).numpy() - linear).max() > 0.01  # the control


def test_a_later_token_changes_no_earlier_output():
    model = small_gpt().double()
    tokens = torch.randint(11, (3, 12))
    for place in range(12):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % 11
        difference = (model(tokens) - model(changed)).abs().amax(dim=(0, 2))  # [t]
        assert (difference[:place] == 0).all()
        assert (difference[place:] > 0).all()


def test_control_without_causality_it_does():
    model = small_gpt().double()
    for block in model.blocks:
        block.attention.causal = False
    tokens = torch.randint(11, (3, 12))
    changed = tokens.clone()
    changed[:, 11] = (changed[:, 11] + 1) % 11
    assert ((model(tokens) - model(changed)).abs().amax(dim=(0, 2)) > 0).all()


def test_gpt_takes_windows_that_are_not_full():
    model = small_gpt().double()
    tokens = torch.randint(11, (3, 12))
    torch.testing.assert_close(model(tokens[:, :5]), model(tokens)[:, :5])


def test_gpts_parameters_are_as_many_as_its_shape_says():
    v, t, n, d = 4096, 128, 4, 128
    model = gpt.build(vocabulary=v, context=t)
    embeddings, matrices, norms = 2 * v * d + t * d, 12 * d * d, 4 * d
    assert sum(p.numel() for p in model.parameters()) == embeddings + n * (matrices + norms) + 2 * d


def test_weights_begin_with_the_variance_of_their_kind():
    """Within four standard errors of the sample's."""
    for model in (small_gpt(vocabulary=200, width=64, layers=3), small_vit(width=64, layers=3)):
        for name, parameter in model.named_parameters():
            owner = model.get_submodule(name.rpartition(".")[0])
            if parameter.ndim == 2:
                into = name.endswith(("attention.out.weight", "down.weight"))
                std = math.sqrt(1 / parameter.shape[1] / (6 if into else 1))
                std = 1.0 if isinstance(owner, nn.Embedding) else std
                if isinstance(model, gpt.GPT) and name == "head.weight":
                    std = 0.02
                error = 4 * std / math.sqrt(2 * parameter.numel())
                assert abs(parameter.std().item() - std) < error, name
            elif isinstance(owner, nn.Linear):
                assert not parameter.any()


def test_at_first_each_block_adds_about_its_share_of_a_variance_of_one():
    model = small_gpt(vocabulary=500, context=64, width=128, layers=8).double()
    tokens = torch.randint(500, (4, 64))
    stream = model.tokens(tokens) + model.positions(torch.arange(64))
    before = stream.var().item()
    after = model.blocks(stream).var().item()
    assert 1.8 < before < 2.2
    assert 1.0 < after / before < 2.0


@pytest.mark.parametrize(
    ("model", "module", "heads"),
    [
        (small_gpt(), gpt, {"tokens.weight", "positions.weight", "head.weight"}),
        (small_vit(), vit, {"patches.weight", "positions.weight", "head.weight"}),
    ],
    ids=["gpt", "vit"],
)
def test_heads_are_embeddings_and_the_last_layer_and_no_hidden_matrix(model, module, heads):
    roles = by_role(model, module.HEADS)
    assert roles[HEAD] == heads
    assert roles[HIDDEN] == {f"blocks.{i}.{name}.weight" for i in range(2) for name in MATRICES}
    assert roles[HIDDEN] | roles[HEAD] | roles[VECTOR] == {n for n, _ in model.named_parameters()}
    assert HEAD not in by_role(model, ())  # the control


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (small_gpt(), torch.zeros(2, 12, dtype=torch.int64)),
        (small_vit(), torch.zeros(2, 3, 8, 4)),
    ],
    ids=["gpt", "vit"],
)
def test_each_module_with_parameters_is_of_torch_and_called_once_a_pass(model, inputs):
    calls: dict[nn.Module, int] = {}
    holders = [m for m in model.modules() if list(m.parameters(recurse=False))]
    for module in holders:
        assert type(module) in (nn.Linear, nn.Embedding, nn.LayerNorm)
        module.register_forward_hook(lambda m, *_: calls.update({m: calls.get(m, 0) + 1}))
    model(inputs)
    assert calls == dict.fromkeys(holders, 1)


def test_channels_last_changes_no_output():
    images = torch.randn(2, 3, 8, 4)
    for build, inputs in ((small_gpt, torch.randint(11, (2, 12))), (small_vit, images)):
        before = build()(inputs)
        after = build().to(memory_format=torch.channels_last)
        torch.testing.assert_close(after(inputs), before)
        if inputs.ndim == 4:
            inputs = inputs.to(memory_format=torch.channels_last)
            torch.testing.assert_close(after(inputs), before)


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_patches_are_the_squares_of_the_image_by_rows(patch):
    model, images = small_vit(patch=patch), torch.randn(2, 3, 8, 4)
    seen: list[torch.Tensor] = []
    model.patches.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(images)
    squares = [
        images[:, :, i : i + patch, j : j + patch].flatten(1)  # channel, row, column
        for i in range(0, 8, patch)
        for j in range(0, 4, patch)
    ]
    assert torch.equal(seen[0], torch.stack(squares, dim=1))


def test_vit_knows_where_a_patch_is_by_its_position_alone():
    model, images = small_vit().double(), torch.randn(2, 3, 8, 4, dtype=torch.float64)
    swapped = torch.cat([images[:, :, 4:], images[:, :, :4]], dim=2)
    with torch.no_grad():
        nn.init.normal_(model.positions.weight)
        assert (model(images) - model(swapped)).abs().max() > 1e-3  # the control
        nn.init.zeros_(model.positions.weight)
        torch.testing.assert_close(model(images), model(swapped))


def test_what_does_not_divide_is_refused():
    with pytest.raises(UsageError, match="patch must divide the images' sides, 8 x 4, got 3"):
        small_vit(patch=3)
    with pytest.raises(UsageError, match="patch must divide the images' sides, 8 x 2, got 4"):
        small_vit(patch=4, sides=(8, 2))
    with pytest.raises(UsageError, match="heads must divide width, 16, got 3"):
        small_gpt(heads=3)
    assert small_vit(sides=vit.MINIMUM_SIDES)(torch.zeros(1, 3, *vit.MINIMUM_SIDES)).shape == (
        1,
        10,
    )


def test_both_are_networks_and_what_they_share_is_none():
    assert {"gpt", "vit"} <= set(signatures.names("models"))
    assert "transformer" not in signatures.names("models")


def last_loss(inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Of a small GPT after 120 steps of Adam on one batch after another, [n, 8, 16] each."""
    model = small_gpt(vocabulary=5, context=16, layers=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for x, y in zip(inputs, targets, strict=True):
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test_a_gpt_learns_a_repeated_pattern_and_no_noise():
    generator = torch.Generator().manual_seed(0)
    pattern = torch.tensor([0, 3, 1, 3, 4]).repeat(5)  # what follows 3 needs a look further back
    starts = torch.randint(5, (120, 8, 1), generator=generator)
    windows = pattern[starts + torch.arange(17)]  # [steps, 8, 17]
    inputs, targets = windows[..., :-1], windows[..., 1:]
    # The first token of a window, where it is a 3, leaves two ways open: 2/5 ln 2 / 16.
    assert last_loss(inputs, targets) < 0.05
    shuffled = targets.flatten()[torch.randperm(targets.numel(), generator=generator)]
    assert last_loss(inputs, shuffled.view_as(targets)) > 1.0  # the control


@pytest.mark.parametrize(("part", "model"), [(gpt, small_gpt), (vit, small_vit)])
def test_the_layers_that_a_file_declares_are_those_that_hold_parameters(part, model):
    held = {type(module).__name__ for module in owners(model()).values()}
    assert held == {*part.LAYERS}
    assert "Conv2d" not in held  # the control: not all kinds are declared


@pytest.mark.usefixtures("digits")
def test_a_vision_transformer_learns_digits():
    small = {"patch": 2, "layers": 2, "width": 32, "heads": 4}

    def accuracy(lr: float) -> float:
        run = digits_run(
            "adamw", "cosine", args={"lr": lr}, network="vit", network_args=small,
            budget=Budget(epochs=8),
        )  # fmt: skip
        score = trained(run).test_score
        assert score is not None
        return score

    assert accuracy(0.005) > 0.85
    assert accuracy(1e-6) < 0.4  # the control
