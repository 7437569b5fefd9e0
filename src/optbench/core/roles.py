"""What parameters are to a network: some optimizers treat hidden matrices apart from the rest."""

from collections.abc import Collection
from typing import Any

from torch import nn

HIDDEN = "hidden matrix"  # convolutions' kernels too
HEAD = "embedding or head"
VECTOR = "vector"  # biases, scales of norms
ROLES = (HIDDEN, HEAD, VECTOR)


def param_groups(model: nn.Module, heads: Collection[str]) -> list[dict[str, Any]]:
    """The parameters in groups by role, each named in its group's `role`; empty ones left out.

    Args:
        model: the network.
        heads: the names of its embeddings and heads, which its file declares in `HEADS`.
    """
    groups: dict[str, list[nn.Parameter]] = {role: [] for role in ROLES}
    for name, parameter in model.named_parameters():
        is_head = name.rpartition(".")[0] in heads
        role = VECTOR if parameter.ndim <= 1 else HEAD if is_head else HIDDEN
        groups[role].append(parameter)
    return [{"params": members, "role": role} for role, members in groups.items() if members]
