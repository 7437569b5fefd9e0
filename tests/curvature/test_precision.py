"""What rounding the factors of products to bfloat16 costs, against float64."""

import pytest
import torch
from torch import Tensor
from torch.backends import cuda, mkldnn
from torch.nn import functional as F

from optbench.curvature import kronecker, layers
from optbench.curvature.precision import short_factors


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def factor(size: int, seed: int) -> tuple[Tensor, Tensor]:
    """A factor whose eigenvalues go from 1 down to 1e-6, and its symmetric root."""
    basis, _ = torch.linalg.qr(normal(size, size, seed=seed).double())
    values = torch.logspace(0, -6, size, dtype=torch.float64)
    return (basis * values) @ basis.T, (basis * values.sqrt()) @ basis.T


@pytest.mark.parametrize("damping", [1e-1, 1e-2, 1e-3])
@pytest.mark.parametrize("invert", [kronecker.damped_inverses, kronecker.eigenbases])
def test_a_rounded_direction_keeps_its_angle(invert, damping):
    (a, root_a), (g, root_g) = factor(288, 1), factor(64, 2)
    gradient = root_g @ normal(64, 288).double() @ root_a  # its covariance is the Fisher block
    exact = kronecker.solve(invert(a, g, damping), gradient)
    with short_factors():
        rounded = kronecker.solve(invert(a.float(), g.float(), damping), gradient.float()).double()
    assert F.cosine_similarity(rounded.flatten(), exact.flatten(), dim=0) > 0.999
    assert rounded.norm() / exact.norm() == pytest.approx(1, abs=0.01)


def test_moments_of_bfloat16_rows_lose_nothing():
    rows = normal(500, 32).bfloat16()
    exact = rows.double().T @ rows.double()
    with short_factors():
        actual = layers.second_moment(rows)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual.double(), exact, rtol=1e-5, atol=1e-4)


def test_control_rows_that_were_never_bfloat16_would():
    rows = normal(500, 32)
    exact = rows.double().T @ rows.double()
    rounded = layers.second_moment(rows.bfloat16()).double()
    assert (rounded - exact).abs().max() > 1e-2


def test_the_settings_are_put_back_after_an_error_too():
    settings = (mkldnn.matmul, cuda.matmul)
    before = [setting.fp32_precision for setting in settings]
    with short_factors():
        assert [setting.fp32_precision for setting in settings] != before
    with pytest.raises(ZeroDivisionError), short_factors():
        _ = 1 / 0
    assert [setting.fp32_precision for setting in settings] == before
    with short_factors(when=False):
        assert [setting.fp32_precision for setting in settings] == before
