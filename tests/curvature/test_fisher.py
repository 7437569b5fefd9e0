"""Gradients in the logits, against functorch's derivatives of cross entropy."""

from functools import partial

import pytest
import torch
from tests.curvature.nets import CLASSES, block, conv_net, distance, factors, labels, normal
from torch.func import grad, hessian, vmap
from torch.nn import functional as F

from optbench.curvature import fisher

LOGITS, LABELS = 2 * normal(5, CLASSES), labels(5)


def outer(rows: torch.Tensor) -> torch.Tensor:
    return torch.einsum("ni,nj->nij", rows, rows)


def test_columns_add_up_to_the_hessian_of_cross_entropy():
    total = sum(outer(column) for column in fisher.columns(LOGITS))
    expected = vmap(hessian(F.cross_entropy))(LOGITS, LABELS)
    torch.testing.assert_close(total, expected, rtol=1e-12, atol=1e-15)


def test_observed_is_the_gradient_of_each_examples_own_loss():
    expected = vmap(grad(F.cross_entropy))(LOGITS, LABELS)
    close = {"rtol": 1e-12, "atol": 1e-15}
    torch.testing.assert_close(fisher.observed(LOGITS, LABELS), expected, **close)


def test_columns_of_tokens_add_up_to_the_hessian_of_the_sum_of_their_losses():
    logits, targets = 2 * normal(5, 4, CLASSES), labels(20).view(5, 4)
    expected = vmap(hessian(partial(F.cross_entropy, reduction="sum")))(logits, targets)
    total = sum(outer(column.flatten(1)) for column in fisher.columns(logits))
    actual = total.view(expected.shape)  # [n, tokens, classes, tokens, classes]
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-15)
    # The control: columns of all tokens at once have products between tokens.
    at_once = [
        sum(column for column in list(fisher.columns(logits))[c::CLASSES]) for c in range(CLASSES)
    ]
    wrong = sum(outer(column.flatten(1)) for column in at_once).view(expected.shape)
    assert distance(wrong, expected) > 0.5


def test_observed_labels_of_tokens_give_the_gradient_of_each_examples_summed_loss():
    logits, targets = normal(5, 4, CLASSES), labels(20).view(5, 4)
    expected = vmap(grad(partial(F.cross_entropy, reduction="sum")))(logits, targets)
    close = {"rtol": 1e-12, "atol": 1e-15}
    torch.testing.assert_close(fisher.observed(logits, targets), expected, **close)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(fisher.observed(logits, targets) / 4, expected, **close)


def test_a_label_is_drawn_for_each_token_apart():
    n = 40_000
    logits = 2 * normal(2, CLASSES)
    rows = fisher.sampled(logits.expand(n, -1, -1), torch.Generator().manual_seed(0))
    p = logits.softmax(dim=1)
    drawn = p - rows  # [n, tokens, classes], of units
    assert set(drawn.round(decimals=9).flatten().tolist()) == {0.0, 1.0}
    together = torch.einsum("na,nb->ab", drawn[:, 0], drawn[:, 1]) / n
    assert (together - p[0].outer(p[1])).abs().max() < 0.01
    same = torch.einsum("na,nb->ab", drawn[:, 0], drawn[:, 0]) / n  # the control: one for both
    assert (same - p[0].outer(p[0])).abs().max() > 0.05


def test_sampled_labels_have_the_models_frequencies_and_not_others():
    n = 40_000
    p = LOGITS[0].softmax(dim=0)
    rows = fisher.sampled(LOGITS[:1].expand(n, -1), torch.Generator().manual_seed(0))
    frequencies = (p - rows).mean(dim=0)
    assert set((p - rows).round(decimals=9).flatten().tolist()) == {0.0, 1.0}
    error = float(p.max() / n) ** 0.5
    assert (frequencies - p).abs().max() < 4 * error
    assert (frequencies - 1 / CLASSES).abs().max() > 10 * error


def test_samples_come_from_their_generator_alone():
    first, second = (
        fisher.sampled(LOGITS, torch.Generator().manual_seed(7)) + 0 * torch.rand(1)
        for _ in range(2)
    )
    assert torch.equal(first, second)
    many = LOGITS.repeat(50, 1)
    other = fisher.sampled(many, torch.Generator().manual_seed(8))
    assert not torch.equal(other, fisher.sampled(many, torch.Generator().manual_seed(7)))


def test_monte_carlo_tends_to_the_exact_fisher_and_the_empirical_does_not():
    model, images, targets = conv_net(), normal(6, 2, 7, 8), labels(6)
    exact = factors(model, images, targets, "type2")
    sampled = factors(model, images.repeat(4000, 1, 1, 1), targets.repeat(4000), "mc")
    empirical = factors(model, images, targets, "empirical")
    for name, (_, g) in exact.items():
        assert distance(sampled[name][1], g) < 0.02
        assert distance(empirical[name][1], g) > 0.1
        assert distance(block(*sampled[name]), block(*exact[name])) < 0.02
