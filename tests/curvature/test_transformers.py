"""Kronecker factors under losses of tokens and of pooled positions, against others' matrices.

curvlinops' exact Fisher takes a column of all tokens at once, so that products between tokens are
in it where attention mixes them. Asked for a token at a time, it has none: those are the oracle.
"""

from functools import cache

import pytest
import torch
from curvlinops import FisherType
from tests.curvature import nets
from tests.curvature.nets import CLASSES, block, distance, factors, labels, mlp, normal
from tests.curvature.transformers import TOKENS, VOCABULARY, public_blocks, tokens, transformer
from torch import Tensor, nn

from optbench.curvature import kronecker
from optbench.curvature.record import record

N = 3
INPUTS, TARGETS = tokens(N), tokens(N, seed=3)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


@cache
def exact_blocks(approx: str) -> dict[str, Tensor]:
    """curvlinops' exact Fisher of the mean over tokens: the mean of those of each token alone."""
    model = transformer()
    each = [
        public_blocks(model, INPUTS, TARGETS, FisherType.TYPE2, approx, token=token)
        for token in range(TOKENS)
    ]
    return {name: sum(blocks[name] for blocks in each) / TOKENS for name in each[0]}


def require_equal(ours: dict[str, tuple[Tensor, Tensor]], theirs: dict[str, Tensor]) -> None:
    """The same blocks; those that are wrong by the number of tokens are not."""
    assert set(ours) == set(theirs)
    for name, (a, g) in ours.items():
        torch.testing.assert_close(block(a, g), theirs[name], **CLOSE)
        for wrong in (TOKENS * a, a / TOKENS):
            assert distance(block(wrong, g), theirs[name]) > 0.5


@pytest.mark.parametrize("approx", ["expand", "reduce"])
def test_a_language_models_blocks_are_those_of_curvlinops_token_by_token(approx):
    ours = factors(transformer(), INPUTS, TARGETS, "type2", approx)
    require_equal(ours, exact_blocks(approx))
    empirical = factors(transformer(), INPUTS, TARGETS, "empirical", approx)
    for name, theirs in exact_blocks(approx).items():  # the control
        assert distance(block(*empirical[name]), theirs) > 0.1


@pytest.mark.parametrize("approx", ["expand", "reduce"])
def test_a_language_models_empirical_blocks_are_those_of_curvlinops(approx):
    ours = factors(transformer(), INPUTS, TARGETS, "empirical", approx)
    theirs = public_blocks(transformer(), INPUTS, TARGETS, FisherType.EMPIRICAL, approx)
    require_equal(ours, theirs)


def test_columns_of_all_tokens_at_once_are_not_what_sampled_labels_tend_to():
    """Why the oracle above goes token by token: curvlinops' own samples tend to that one too."""
    first = "blocks.0.qkv"
    exact = exact_blocks("reduce")[first]
    arguments = (transformer(), INPUTS, TARGETS)
    at_once = public_blocks(*arguments, FisherType.TYPE2, "reduce")[first]
    sampled = public_blocks(*arguments, FisherType.MC, "reduce", samples=500)[first]
    assert distance(sampled, exact) < 0.2
    assert distance(at_once, exact) > 0.5


@pytest.mark.parametrize("approx", ["expand", "reduce"])
def test_labels_drawn_for_each_token_tend_to_the_exact_fisher_and_the_empirical_does_not(approx):
    many = 16_000  # rare labels have large gradients
    ours = factors(transformer(), INPUTS.repeat(many, 1), TARGETS.repeat(many, 1), "mc", approx)
    empirical = factors(transformer(), INPUTS, TARGETS, "empirical", approx)
    for name, theirs in exact_blocks(approx).items():
        assert distance(block(*ours[name]), theirs) < 0.05
        assert distance(block(*empirical[name]), theirs) > 0.1


@pytest.mark.parametrize("approx", ["expand", "reduce"])
@pytest.mark.parametrize(
    ("kind", "theirs"), [("type2", FisherType.TYPE2), ("empirical", FisherType.EMPIRICAL)]
)
def test_a_classifiers_blocks_are_those_of_curvlinops(kind, theirs, approx):
    model = transformer(is_classifier=True)
    ours = factors(model, INPUTS, labels(N), kind, approx)
    expected = public_blocks(model, INPUTS, labels(N), theirs, approx)
    for name, (a, g) in ours.items():
        torch.testing.assert_close(block(a, g), expected[name], **CLOSE)
        assert distance(block(TOKENS * a, g), expected[name]) > 0.5


# Where equality with the block itself holds


class Pooled(nn.Module):
    """A network at each position, then the sum over positions."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).sum(dim=1)


def unit_columns(logits: Tensor) -> list[Tensor]:
    """As `fisher.columns` for squared error, whose Hessian in the outputs is the identity."""
    unit = torch.eye(logits[0].numel(), dtype=torch.float64)
    return [row.view(logits.shape[1:]).expand(logits.shape) for row in unit]


def blocks_and_exact(model: nn.Module, approx: str) -> list[tuple[Tensor, Tensor]]:
    """A (x) G and the block by functorch of the mean over all losses, a pair a layer."""
    inputs = normal(6, TOKENS, 3)
    layers = nets.matrices(model)
    taken = record(model, model, inputs, layers)
    pairs = kronecker.factors(taken, layers, unit_columns(taken.logits), approx)
    losses = taken.logits.shape[:-1].numel()
    jacobian = {name: j.flatten(1, -2) for name, j in nets.jacobian(model, inputs).items()}
    exact = {name: torch.einsum("nri,nrj->ij", j, j) / losses for name, j in jacobian.items()}
    return [(block(*pairs[name]), exact[name]) for name in exact]


def linear(*, activation: type[nn.Module] = nn.Identity) -> nn.Sequential:
    return mlp(3, 5, 4, 2, activation=activation)


@pytest.mark.parametrize(
    ("approx", "other", "wrap"), [("expand", "reduce", lambda m: m), ("reduce", "expand", Pooled)]
)
def test_each_approximation_is_exact_in_its_own_setting(approx, other, wrap):
    for ours, exact in blocks_and_exact(wrap(linear()), approx):
        torch.testing.assert_close(ours, exact, **CLOSE)
        assert distance(TOKENS * ours, exact) > 1  # the controls
        assert distance(ours / TOKENS, exact) > 0.5
    for setting, model in ((other, linear()), (approx, linear(activation=nn.Tanh))):
        pairs = blocks_and_exact(wrap(model), setting)
        assert max(distance(ours, exact) for ours, exact in pairs) > 0.05


def test_a_layer_that_predicts_the_same_for_all_tokens_has_its_fisher_matrix():
    """At W = 0 all predictions are uniform, and A (x) G is the Fisher matrix of cross entropy."""
    model, inputs = mlp(3, VOCABULARY), normal(6, TOKENS, 3)
    nn.init.zeros_(model[0].weight)
    pair = factors(model, inputs, TARGETS, "type2", "expand")["0"]
    rows = torch.cat([inputs, torch.ones(6, TOKENS, 1)], dim=2).flatten(0, 1)
    p = model[0].bias.detach().softmax(dim=0)
    exact = torch.kron(p.diag() - p.outer(p), rows.T @ rows / len(rows))
    torch.testing.assert_close(block(*pair), exact, **CLOSE)
    empirical = factors(model, inputs, tokens(6, seed=3), "empirical", "expand")["0"]
    assert distance(block(*empirical), exact) > 0.1


def test_a_linear_layers_positions_may_stand_in_any_number_of_dimensions():
    """A head [n, h, w, d] has h x w losses an example."""
    model, inputs = mlp(3, 4, CLASSES), normal(2, 6, 3)
    flat = factors(model, inputs, labels(12).view(2, 6), "empirical")
    square = factors(model, inputs.view(2, 2, 3, 3), labels(12).view(2, 2, 3), "empirical")
    for name in flat:
        torch.testing.assert_close(block(*square[name]), block(*flat[name]), **CLOSE)
    pooled = factors(Pooled(model), inputs, labels(2), "empirical")["model.0"]
    assert distance(block(*pooled), block(*flat["0"])) > 0.1  # the control: one loss an example
