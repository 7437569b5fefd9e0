"""The rows of a Fisher matrix F = U^T U, layer by layer, and solves with F + damping I.

Row (i, s) of U is the gradient, in all parameters, of a scalar of example i: its logits times one
of s logit gradients. U has a column for each parameter, which is too much to hold; a layer's block
of columns is held as itself, or as the factors whose products make it, whichever is smaller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from optbench.core.errors import UsageError
from optbench.curvature import layers
from optbench.curvature.layers import Layer
from optbench.curvature.record import Record

CHUNK = 2**24  # numbers of U that are made at once where it is not held


class Block(Protocol):
    """The columns of U that belong to one layer; r rows, p parameters."""

    @property
    def layer(self) -> nn.Module:
        """The layer."""
        ...

    def rows(self) -> Tensor:
        """This layer's columns of U; [r, p]."""
        ...

    def gram(self) -> Tensor:
        """U U^T over this layer's columns; [r, r]."""
        ...

    def times(self, vector: Tensor) -> Tensor:
        """U v for a vector [p] of this layer's parameters; [r]."""
        ...

    def transposed(self, coefficients: Tensor) -> Tensor:
        """U^T c for coefficients [r]; [p]."""
        ...


@dataclass(frozen=True)
class Explicit:
    """A block held as itself."""

    layer: nn.Module
    columns: Tensor  # [r, p]

    def rows(self) -> Tensor:
        """As `Block`."""
        return self.columns

    def gram(self) -> Tensor:
        """As `Block`."""
        return self.columns @ self.columns.T

    def times(self, vector: Tensor) -> Tensor:
        """As `Block`."""
        return self.columns @ vector

    def transposed(self, coefficients: Tensor) -> Tensor:
        """As `Block`."""
        return coefficients @ self.columns


@dataclass(frozen=True)
class Factored:
    """A Linear or Conv2d layer's block: row (i, s) is the sum over positions of d a^T."""

    layer: Layer
    inputs: Tensor  # a: [n, positions, d_in]
    outputs: Tensor  # d: [n, s, positions, d_out]

    def rows(self) -> Tensor:
        """As `Block`."""
        return products(self.outputs, self.inputs)

    def gram(self) -> Tensor:
        """As `Block`; in chunks of outputs, or at one position without any rows."""
        n, s, positions, _ = self.outputs.shape
        if positions == 1:  # (d a^T) . (d' a'^T) = (d . d') (a . a')
            d, a = self.outputs.flatten(0, 2), self.inputs.flatten(0, 1).repeat_interleave(s, dim=0)
            return (d @ d.T) * (a @ a.T)
        size = max(1, CHUNK // (n * s * self.inputs.shape[2]))
        chunks = (products(part, self.inputs) for part in torch.split(self.outputs, size, dim=3))
        return cast("Tensor", sum(chunk @ chunk.T for chunk in chunks))

    def times(self, vector: Tensor) -> Tensor:
        """As `Block`."""
        pushed = self.inputs @ vector.view(self.outputs.shape[3], -1).T  # [n, positions, d_out]
        return (self.outputs * pushed[:, None]).sum(dim=(2, 3)).flatten()

    def transposed(self, coefficients: Tensor) -> Tensor:
        """As `Block`."""
        weights = coefficients.view(*self.outputs.shape[:2], 1, 1)
        pulled = (weights * self.outputs).sum(dim=1)  # [n, positions, d_out]
        return (pulled.flatten(0, 1).T @ self.inputs.flatten(0, 1)).flatten()


def products(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Sums over positions of d a^T, from [n, s, positions, k] and [n, positions, d_in].

    Returns:
        [n * s, k * d_in].
    """
    n, s, positions, k = outputs.shape
    left = outputs.transpose(2, 3).reshape(n, s * k, positions)
    return torch.bmm(left, inputs).view(n * s, -1)


def blocks(
    modules: Mapping[str, nn.Module], taken: Record, logit_gradients: Sequence[Tensor]
) -> list[Block]:
    """All of U, a block a layer.

    Args:
        modules: the recorded layers by name; BatchNorm among them in evaluation mode.
        taken: a forward pass over n examples.
        logit_gradients: s gradients [n, classes] in the logits.

    Raises:
        UsageError: a layer is not in the forward pass.
    """
    if unused := [name for name in modules if name not in taken.inputs]:
        raise UsageError(
            f"layers {', '.join(unused)} take no part in the forward pass, so that they have no "
            "Jacobian: take them out of the network"
        )
    gradients = [taken.output_gradients(rows) for rows in logit_gradients]
    return [
        block(module, taken.inputs[name], [each[name] for each in gradients])
        for name, module in modules.items()
    ]


def block(layer: nn.Module, inputs: Tensor, gradients: Sequence[Tensor]) -> Block:
    """One layer's block, from its input and s gradients at its output."""
    wide = [at_least_float32(gradient) for gradient in gradients]
    if isinstance(layer, _BatchNorm):
        return Explicit(layer, scale_columns(layer, at_least_float32(inputs), wide))
    assert layers.is_supported(layer)
    outputs = torch.stack([layers.output_rows(layer, rows) for rows in wide], dim=1)
    rows = layers.input_rows(layer, at_least_float32(inputs))
    d_out, d_in = layers.matrix_shape(layer)
    n, s = outputs.shape[:2]
    if n * s * d_out * d_in <= rows.numel() + outputs.numel():
        return Explicit(layer, products(outputs, rows))
    return Factored(layer, rows.contiguous(), outputs.contiguous())


def scale_columns(layer: _BatchNorm, inputs: Tensor, gradients: Sequence[Tensor]) -> Tensor:
    """U for output = scale * normalised input + shift with fixed statistics; [r, 2 channels]."""
    shape = (1, -1) + (1,) * (inputs.ndim - 2)
    mean, variance = cast("Tensor", layer.running_mean), cast("Tensor", layer.running_var)
    normalised = (inputs - mean.view(shape)) / (variance + layer.eps).sqrt().view(shape)
    both = [torch.cat([gradient * normalised, gradient], dim=1) for gradient in gradients]
    sums = [part.flatten(2).sum(dim=2) if part.ndim > 2 else part for part in both]
    return torch.stack(sums, dim=1).flatten(0, 1)


def gradient(layer: nn.Module) -> Tensor:
    """The loss's gradient in a layer's parameters, in the order of U's columns; [p]."""
    if layers.is_supported(layer):
        return cast("Tensor", layers.gradient_matrix(layer)).flatten()
    return torch.cat([cast("Tensor", p.grad) for p in (layer.weight, layer.bias)])


def split(layer: nn.Module, vector: Tensor) -> dict[Tensor, Tensor]:
    """A vector [p] as tensors of the parameters' shapes, by parameter."""
    if layers.is_supported(layer):
        return layers.split_matrix(layer, vector.view(layers.matrix_shape(layer)))
    scale, shift = vector.chunk(2)
    return {cast("Tensor", layer.weight): scale, cast("Tensor", layer.bias): shift}


def unsupported(module: nn.Module) -> str | None:
    """Why there is no block for a module that owns parameters; None where there is."""
    if layers.is_frozen(module):
        return "frozen, at least in part"
    if not isinstance(module, _BatchNorm):
        return layers.unsupported(module)
    if all(x is not None for x in (module.weight, module.bias, module.running_mean)):
        return None
    return f"{type(module).__name__} without running statistics, or without scale and shift"


def whole_network(model: nn.Module) -> dict[str, nn.Module]:
    """All modules that have parameters themselves, by name.

    Raises:
        UsageError: U is not known for one of them, or two share a parameter.
    """
    modules = layers.owners(model)
    reasons = {name: unsupported(module) for name, module in modules.items()}
    wrong = [f"'{name}' ({why})" for name, why in reasons.items() if why]
    if wrong:
        raise UsageError(
            f"natural gradient needs the Jacobian of every layer; none is known for "
            f"{', '.join(wrong)}: K-FAC moves such layers along their gradient"
        )
    return modules


def at_least_float32(tensor: Tensor) -> Tensor:
    """bfloat16 as float32; float64 stays."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


@dataclass(frozen=True)
class Solution:
    """v = (F + damping I)^-1 g, a vector for each block, and |(F + damping I) v - g| / |g|."""

    vectors: Sequence[Tensor]
    relative_residual: float


def solve_dual(
    blocks: Sequence[Block], damping: float, *, tolerance: float, refinements: int = 4
) -> Solution:
    """v = (g - U^T (U U^T + damping I)^-1 U g) / damping (Ren and Goldfarb 2019, arXiv 1906.02353).

    The Gram matrix is summed and factorised in float64; U's rounding is made good by iterative
    refinement with the same factor, as long as the residual is above `tolerance`.
    """
    right = [gradient(block.layer) for block in blocks]
    gram = cast("Tensor", sum(block.gram().double() for block in blocks))
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    factor = torch.linalg.cholesky(gram + damping * identity)

    def solve(vectors: Sequence[Tensor]) -> list[Tensor]:
        pushed = times(blocks, vectors)[:, None]
        coefficients = torch.cholesky_solve(pushed, factor)[:, 0]
        return [
            (part - block.transposed(coefficients.to(part.dtype))) / damping
            for part, block in zip(vectors, blocks, strict=True)
        ]

    solution = solve(right)
    for _ in range(refinements):
        residual = residual_of(blocks, solution, right, damping)
        size = relative(residual, right)
        if size <= tolerance:
            break
        correction = solve(residual)
        solution = [part + more for part, more in zip(solution, correction, strict=True)]
    else:
        size = relative(residual_of(blocks, solution, right, damping), right)
    return Solution(solution, size)


def solve_dense(blocks: Sequence[Block], damping: float) -> Solution:
    """The same through F itself, in float64."""
    right = [gradient(block.layer) for block in blocks]
    u = torch.cat([block.rows() for block in blocks], dim=1).double()
    fisher = u.T @ u
    fisher.diagonal().add_(damping)
    whole = torch.linalg.solve(fisher, torch.cat(right).double())
    parts = whole.to(right[0].dtype).split([len(part) for part in right])
    residual = residual_of(blocks, parts, right, damping)
    return Solution(parts, relative(residual, right))


def times(blocks: Sequence[Block], vectors: Sequence[Tensor]) -> Tensor:
    """U v, summed over blocks in float64; [r]."""
    pairs = zip(blocks, vectors, strict=True)
    return cast("Tensor", sum(block.times(vector).double() for block, vector in pairs))


def residual_of(
    blocks: Sequence[Block],
    solution: Sequence[Tensor],
    right: Sequence[Tensor],
    damping: float,
) -> list[Tensor]:
    """g - (U^T U + damping I) v."""
    pushed = times(blocks, solution)
    return [
        g - block.transposed(pushed.to(g.dtype)) - damping * v
        for block, v, g in zip(blocks, solution, right, strict=True)
    ]


def relative(residual: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """The norm of all of one over the norm of all of the other."""
    above, below = (
        torch.stack([part.double().square().sum() for part in parts]).sum().sqrt()
        for parts in (residual, right)
    )
    return float(above / below) if below > 0 else 0.0
