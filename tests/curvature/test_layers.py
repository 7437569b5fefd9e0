"""Moments of input rows, with and without patches, against F.unfold."""

import pytest
import torch
from tests.curvature.nets import distance, normal
from torch import nn
from torch.nn import functional as F

from optbench.curvature import layers

# kernel, dilation, padding, size
SHAPES = [
    (3, 1, 1, (6, 6)),
    (3, 1, 0, (6, 5)),
    (3, 1, 1, (1, 1)),  # most of the window is padding
    (3, 1, 1, (2, 7)),
    (5, 1, 2, (3, 4)),
    (5, 1, 2, (2, 2)),
    (2, 1, 1, (4, 4)),
    ((1, 3), 1, (0, 1), (5, 4)),
    ((3, 1), 1, (1, 0), (4, 5)),
    ((2, 5), 1, (1, 2), (4, 6)),
    ((4, 3), (1, 2), (2, 1), (5, 7)),
    (3, 2, 2, (5, 6)),
    (3, 3, 3, (4, 4)),  # taps whose shifted images do not overlap
    (3, 2, 4, (3, 2)),
    (2, 1, 3, (4, 3)),  # padding larger than the kernel
    (3, (2, 1), (4, 5), (2, 6)),
    (1, 1, 2, (3, 3)),
    (1, 1, 0, (3, 3)),
    ((6, 5), 1, 0, (6, 5)),  # one position
]


def conv(kernel, dilation, padding, *, stride=1, bias=True, channels=3) -> nn.Conv2d:
    return nn.Conv2d(
        channels, 2, kernel, stride=stride, padding=padding, dilation=dilation, bias=bias
    ).double()


def unfolded(layer: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
    """[n, positions, d_in] with a 1 behind a row where there is a bias."""
    rows = F.unfold(images, layer.kernel_size, layer.dilation, layer.padding, layer.stride).mT
    return rows if layer.bias is None else F.pad(rows, (0, 1), value=1.0)


@pytest.mark.parametrize(("kernel", "dilation", "padding", "size"), SHAPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
def test_moments_and_means_are_those_of_unfolded_rows(
    kernel, dilation, padding, size, bias, channels, stride
):
    layer = conv(kernel, dilation, padding, stride=stride, bias=bias, channels=channels)
    images = normal(4, channels, *size)
    rows = unfolded(layer, images)
    expected = torch.einsum("npi,npj->ij", rows, rows)
    close = {"rtol": 1e-12, "atol": 1e-12 * float(expected.abs().max())}
    torch.testing.assert_close(layers.input_moment(layer, images), expected, **close)
    torch.testing.assert_close(layers.input_rows(layer, images), rows, rtol=0, atol=0)
    torch.testing.assert_close(
        layers.input_means(layer, images), rows.mean(dim=1), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize(("kernel", "dilation", "padding", "size"), SHAPES[:2] + SHAPES[4:6])
def test_control_without_the_strips_the_moment_is_another(
    kernel, dilation, padding, size, monkeypatch
):
    layer, images = conv(kernel, dilation, padding), normal(4, 3, *size)
    right = layers.input_moment(layer, images)
    monkeypatch.setattr(layers, "outside", lambda area, window: [])
    assert distance(layers.input_moment(layer, images), right) > 0.01


@pytest.mark.parametrize("stride", [1, 2])
def test_chunks_change_no_moment(stride, monkeypatch):
    layer, images = conv(3, 1, 1, stride=stride), normal(7, 3, 5, 5)
    whole = layers.input_moment(layer, images)
    monkeypatch.setattr(layers, "CHUNK", 2 * images[0].numel() * 9)
    torch.testing.assert_close(layers.input_moment(layer, images), whole, rtol=1e-12, atol=1e-12)


def test_channels_last_changes_no_moment():
    layer, images = conv(3, 1, 1), normal(4, 3, 5, 6)
    last = images.to(memory_format=torch.channels_last)
    expected = layers.input_moment(layer, images)
    torch.testing.assert_close(layers.input_moment(layer, last), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(4,), (4, 5), (4, 5, 2)])
def test_a_linear_layer_has_a_position_for_each_place_of_its_leading_dimensions(bias, lead):
    layer = nn.Linear(3, 2, bias=bias).double()
    inputs = normal(*lead, 3)
    rows = inputs.reshape(4, -1, 3)
    rows = F.pad(rows, (0, 1), value=1.0) if bias else rows
    moment = torch.einsum("npi,npj->ij", rows, rows)
    torch.testing.assert_close(layers.input_moment(layer, inputs), moment, rtol=1e-12, atol=1e-12)
    means = layers.input_means(layer, inputs)
    torch.testing.assert_close(means, rows.mean(dim=1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layer", [nn.Linear, nn.Conv2d])
def test_a_matrix_of_gradients_splits_into_the_gradients(layer, bias):
    module = layer(3, 2, bias=bias) if layer is nn.Linear else layer(3, 2, (2, 3), bias=bias)
    assert layers.gradient_matrix(module) is None
    for p in module.parameters():
        p.grad = torch.randn_like(p)
    matrix = layers.gradient_matrix(module)
    assert matrix.shape == layers.matrix_shape(module)
    parts = layers.split_matrix(module, matrix)
    assert set(parts) == set(module.parameters())
    assert all(torch.equal(part, p.grad) for p, part in parts.items())


@pytest.mark.parametrize("make", [lambda: conv(3, 2, (1, 2), stride=2), lambda: conv(1, 1, 0)])
def test_the_weight_times_input_rows_is_the_output(make):
    layer, images = make(), normal(2, 3, 7, 6)
    matrix = torch.cat([layer.weight.flatten(1), layer.bias[:, None]], dim=1)
    rows = layers.output_rows(layer, layer(images))
    expected = layers.input_rows(layer, images) @ matrix.T
    torch.testing.assert_close(rows, expected, rtol=1e-12, atol=1e-12)
