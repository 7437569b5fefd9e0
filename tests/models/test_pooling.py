"""Numba's pooling gives torch's bits, forward and backward, and leaves the rest to torch."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from optbench.models import pooling
from optbench.models.pooling import MaxPool2x2
from optbench.models.resnet9 import build

# Both zeros, denormals, ones next to each other, infinities, NaN of both signs and other payloads.
SPECIAL = (
    0x0000, 0x8000, 0x0001, 0x8001, 0x3F80, 0xBF80, 0x3F81, 0x7F80, 0xFF80, 0x7FC0, 0xFFC0, 0x7F81,
)  # fmt: skip


@pytest.fixture(autouse=True)
def threads():
    """Leaves torch's number of threads as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def squares() -> Tensor:
    """Every square of four special values; [n, 2, 2, 2] in channels-last layout."""
    bits = torch.tensor(list(product(SPECIAL, repeat=4)), dtype=torch.int32).to(torch.int16)
    images = bits.view(torch.bfloat16).view(-1, 2, 2, 2)
    return images.contiguous(memory_format=torch.channels_last)


def bits(tensor: Tensor) -> Tensor:
    """A tensor's bits; all NaN are one."""
    plain = torch.where(tensor.isnan(), torch.nan, tensor.detach())
    return plain.contiguous().view(torch.int16)


def pooled(images: Tensor, pool) -> tuple[Tensor, Tensor]:
    """The bits of the maxima, and of the gradient by the images."""
    images = images.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    maxima = pool(images)
    weights = torch.arange(1, maxima.numel() + 1).view(maxima.shape).to(maxima.dtype)
    maxima.backward(weights)
    assert images.grad is not None
    return bits(maxima), bits(images.grad)


def torchs(images: Tensor) -> Tensor:
    return F.max_pool2d(images, 2)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_square_of_special_values_pools_to_torch_s_bits(threads):
    torch.set_num_threads(threads)
    images = squares()
    assert pooling.suits_numba(images)
    for ours, theirs in zip(pooled(images, MaxPool2x2()), pooled(images, torchs), strict=True):
        assert torch.equal(ours, theirs)


def test_a_pooling_that_takes_the_last_of_equals_is_noticed():
    images = squares()
    flipped = pooled(images.flip(2, 3), MaxPool2x2())[1].flip(2, 3)
    assert not torch.equal(flipped, pooled(images, torchs)[1])


@pytest.mark.parametrize("shape", [(5, 3, 8, 6), (1, 33, 4, 4), (7, 64, 16, 16)])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_images_of_any_size_and_layout(shape, layout):
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    images = images.to(torch.bfloat16).contiguous(memory_format=layout)
    for ours, theirs in zip(pooled(images, MaxPool2x2()), pooled(images, torchs), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "images",
    [torch.randn(2, 3, 5, 4).bfloat16(), torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4).double()],
    ids=["odd", "fp32", "fp64"],
)
def test_torch_pools_what_the_loops_do_not_take(images):
    assert not pooling.suits_numba(images)
    assert torch.equal(MaxPool2x2()(images), torchs(images))


def test_a_network_learns_the_same_bits_with_and_without_numba(monkeypatch):
    torch.manual_seed(0)
    images = torch.randn(8, 3, 16, 16).contiguous(memory_format=torch.channels_last)

    def gradients() -> list[Tensor]:
        torch.manual_seed(1)
        network = build(channels=3, classes=4, sides=(16, 16), width=8)
        network = network.to(memory_format=torch.channels_last)
        for _ in range(2):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(network(images).float(), torch.arange(8) % 4)
            loss.backward()
        return [parameter.grad for parameter in network.parameters()]

    with_numba = gradients()
    monkeypatch.setattr(pooling, "numba", None)
    without = gradients()
    assert all(torch.equal(a, b) for a, b in zip(with_numba, without, strict=True))


def test_a_second_derivative_is_refused_not_wrong():
    images = torch.randn(1, 8, 4, 4).bfloat16().requires_grad_()
    (gradient,) = torch.autograd.grad(
        MaxPool2x2()(images).square().sum(), images, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
