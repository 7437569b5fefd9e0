"""ResNet-50 is torchvision's, number for number."""

import pytest
import torch
import torchvision

from optbench.models import resnet50

PARAMETERS = 25_557_032  # https://pytorch.org/vision/stable/models/generated/torchvision.models.resnet50.html


@pytest.fixture(scope="module")
def pair() -> tuple[torch.nn.Module, torch.nn.Module]:
    """Ours, and torchvision's with the same weights; both in evaluation."""
    torch.manual_seed(0)
    network, oracle = resnet50.build(channels=3, classes=1000), torchvision.models.resnet50()
    oracle.load_state_dict(network.state_dict())
    return network.eval(), oracle.eval()


def test_it_has_torchvisions_parameters(pair):
    network, _ = pair
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS
    assert all(hasattr(network, name) for name in resnet50.HEADS)
    assert network.fc.out_features == 1000


def test_the_same_weights_give_torchvisions_logits(pair):
    network, oracle = pair
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = oracle(images)
        assert torch.equal(network(images), expected)
        assert not torch.equal(torchvision.models.resnet50().eval()(images), expected)  # control


def test_the_smallest_side_and_other_channels_are_taken():
    network = resnet50.build(channels=1, classes=10).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 1, *resnet50.MINIMUM_SIDES)).shape == (2, 10)
