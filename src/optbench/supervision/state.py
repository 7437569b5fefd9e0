"""Nested state as safetensors: tensors by number and path, all else as JSON. No pickle.

Floats come back exactly, and tensors with their strides: fused kernels walk through a parameter and
its momentum side by side in memory.
"""

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from optbench.core.errors import UsageError

SKELETON = "skeleton"  # the tensor of bytes that holds the JSON


def pack(state: Any) -> bytes:
    """Tensors, numbers, text and None in dicts, lists and tuples; equal states give equal bytes.

    Raises:
        UsageError: something else is among them; the message names its place.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_encode(state, "", tensors))
    tensors[SKELETON] = torch.frombuffer(bytearray(skeleton.encode()), dtype=torch.uint8)
    return save(tensors)


def unpack(content: bytes) -> Any:
    """The state that `pack` was given, its tensors on the CPU."""
    tensors = load(content)
    skeleton = bytes(tensors.pop(SKELETON).tolist())
    return _decode(json.loads(skeleton), tensors)


def _encode(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """A value as JSON; its tensors go to `tensors`."""
    if isinstance(value, Tensor):
        # A copy, since safetensors refuses tensors that share memory.
        name = f"{len(tensors)}{path}"
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name, "stride": list(torch.empty_like(value, device="meta").stride())}
    if isinstance(value, Mapping):
        items = [[key, _encode(item, f"{path}/{key}", tensors)] for key, item in value.items()]
        return {"dict": items}
    if isinstance(value, list | tuple):
        items = [_encode(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UsageError(
        f"a checkpoint cannot hold {path.lstrip('/')}, a {type(value).__name__}: a state_dict must "
        "be made of tensors, numbers, text, None, dicts, lists and tuples"
    )


def _decode(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `_encode`."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        tensor = tensors[value["tensor"]]
        strided = torch.empty_strided(tensor.shape, value["stride"], dtype=tensor.dtype)
        return strided.copy_(tensor)
    if "dict" in value:
        return {key: _decode(item, tensors) for key, item in value["dict"]}
    kind, items = next(iter(value.items()))
    decoded = [_decode(item, tensors) for item in items]
    return tuple(decoded) if kind == "tuple" else decoded
