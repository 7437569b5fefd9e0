"""Nested state comes back as it was, to the bit and to the stride."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from optbench.core.errors import UsageError
from optbench.supervision.state import pack, unpack

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.uint8, torch.int64, torch.bool)
TENSORS = st.builds(
    lambda shape, dtype, transposed: _tensor(shape, dtype, transposed),
    st.lists(st.integers(0, 3), max_size=4),
    st.sampled_from(DTYPES),
    st.booleans(),
)
STATES = st.recursive(
    SCALARS | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


def _tensor(shape, dtype, transposed):
    tensor = torch.randn(shape).mul(100).to(dtype)
    return tensor.permute(list(reversed(range(tensor.ndim)))) if transposed else tensor


def same(this, other) -> bool:
    """Equal in type and value; NaN equals NaN, and 0.0 does not equal -0.0."""
    if type(this) is not type(other):
        return False
    if isinstance(this, torch.Tensor):
        return (
            this.dtype == other.dtype
            and this.shape == other.shape
            and this.stride() == other.stride()
            and this.flatten().view(torch.uint8).equal(other.flatten().view(torch.uint8))
        )
    if isinstance(this, dict):
        return list(this) == list(other) and all(same(this[key], other[key]) for key in this)
    if isinstance(this, list | tuple):
        return len(this) == len(other) and all(map(same, this, other))
    if isinstance(this, float):
        return repr(this) == repr(other)
    return this == other


@given(STATES)
def test_a_state_comes_back(state):
    assert same(unpack(pack(state)), state)


@given(STATES)
def test_the_same_state_gives_the_same_bytes(state):
    assert pack(state) == pack(unpack(pack(state)))


def test_control_same_tells_states_apart():
    assert same({"a": (1.0, math.nan)}, {"a": (1.0, math.nan)})
    different = [(0.0, -0.0), (1, 1.0), ([1], (1,)), ({1: 0}, {"1": 0}), (True, 1)]
    assert not any(same(*pair) for pair in different)
    square = torch.arange(4.0).reshape(2, 2)
    assert not same(square, square.t().contiguous().t())


def test_strides_of_channels_last_and_of_expanded_tensors():
    weight = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    assert unpack(pack(weight)).is_contiguous(memory_format=torch.channels_last)
    expanded = torch.ones(1).expand(5)
    assert torch.equal(unpack(pack(expanded)), expanded)


def test_tensors_that_share_memory_are_no_obstacle():
    tensor = torch.arange(4.0)
    assert same(unpack(pack([tensor, tensor, tensor[1:]])), [tensor, tensor, tensor[1:]])


@pytest.mark.parametrize("value", [object(), {1, 2}, nn.Linear(1, 1), 1j, b"bytes", max])
def test_what_cannot_be_kept_is_named(value):
    with pytest.raises(UsageError, match=f"cannot hold state/0/x, a {type(value).__name__}"):
        pack({"state": [{"x": value}]})
