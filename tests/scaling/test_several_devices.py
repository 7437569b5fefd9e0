"""The counts that docs/scaling.md plans with: against torchvision's and K-FAC's own."""

import pytest
from benchmarks.several_devices import largest_load, shapes
from torchvision.models import ResNet50_Weights, resnet50

from optbench.curvature import layers

PUBLISHED = ResNet50_Weights.IMAGENET1K_V1.meta


@pytest.fixture(scope="module")
def network():
    return resnet50()


def test_multiplications_of_a_forward_pass_are_those_that_torchvision_publishes(network):
    counted = sum(x.d_in * x.d_out * x.positions for x in shapes(network)) / 1e9
    assert counted == pytest.approx(PUBLISHED["_ops"], abs=1e-3)
    assert sum(p.numel() for p in network.parameters()) == PUBLISHED["num_params"]


def test_factors_are_as_large_as_k_fac_has_them(network):
    sides = [layers.matrix_shape(module) for module in layers.owners(network).values()
             if layers.is_supported(module)]  # fmt: skip
    counted = shapes(network)
    assert sorted((x.d_out, x.d_in) for x in counted) == sorted(map(tuple, sides))
    assert sum(x.factors for x in counted) == sum(a**2 + b**2 for a, b in sides)


def test_no_way_to_share_work_out_beats_its_largest_piece():
    assert largest_load([8, 1, 1, 1, 1], devices=2) == 8
    assert largest_load([8, 1, 1, 1, 1], devices=64) == 8
    assert largest_load([2, 2, 1, 1], devices=2) == 3
    assert largest_load([2, 2, 1, 1], devices=1) == 6  # the control
