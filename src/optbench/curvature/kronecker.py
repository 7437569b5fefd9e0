"""Kronecker factors A and G of a layer's Fisher block, and solves with A (x) G + damping I.

The objective is the mean of N losses: one an example, N = n, or one a token, N = n times the tokens
of an example. Labels are independent, so the Fisher matrix is F = (1/N) sum over examples of
E[g g^T], where g is the gradient of the sum of an example's losses. In a layer with T positions,
input rows a and output rows d = the gradient of that sum, g is the sum over positions of d a^T.

- `expand` drops the products of two positions in g g^T, and takes A and G as independent:
  A = (1/N) sum a a^T, G = (1/nT) sum d d^T, over examples and positions (Grosse and Martens 2016,
  arXiv 1602.01407, eqs. 32 and 35; Eschenhagen et al. 2023, arXiv 2311.00636, section 3).
- `reduce` takes g as (sum of d) (mean of a)^T over an example's positions: A = (1/N) sum a a^T with
  the mean rows, G = (1/n) sum d d^T with the sums, over examples (Eschenhagen et al.).

A (x) G is the block itself in a linear network whose output's Fisher matrix is the same everywhere:
`expand` where each position has its own loss, `reduce` where the loss sees the sum of positions,
both where T = 1. Of A (x) G = cA (x) G/c only the product matters, to `damped_inverses` as well.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeVar

import torch
from torch import Tensor

from optbench.curvature import layers
from optbench.curvature.layers import Layer
from optbench.curvature.precision import short_factors
from optbench.curvature.record import Record

Approx = Literal["expand", "reduce"]
T = TypeVar("T")
TINY = 1e-30  # keeps pi finite where a factor is zero


def factors(
    taken: Record, modules: Mapping[str, Layer], sources: Iterable[Tensor], approx: Approx
) -> dict[str, tuple[Tensor, Tensor]]:
    """Each layer's A [d_in, d_in] and G [d_out, d_out].

    Args:
        taken: a forward pass over n examples.
        modules: the recorded layers by name.
        sources: gradients of losses in the logits, shaped as these; G sums over them.
        approx: what to do with positions.
    """
    outputs: dict[str, Tensor] = {}
    losses = taken.logits.shape[:-1].numel()
    with short_factors(when=taken.is_bf16):
        for source in sources:
            for name, gradient in taken.output_gradients(source).items():
                moment = output_factor(layers.output_rows(modules[name], gradient), approx)
                outputs[name] = outputs[name] + moment if name in outputs else moment
        return {
            name: (input_moment(modules[name], taken.inputs[name], approx) / losses, g)
            for name, g in outputs.items()
        }


def output_factor(rows: Tensor, approx: Approx) -> Tensor:
    """G from output rows [n, positions, d_out]."""
    n, positions = rows.shape[:2]
    if approx == "expand":
        return layers.second_moment(rows) / (n * positions)
    return layers.second_moment(rows.sum(dim=1)) / n


def input_moment(layer: Layer, inputs: Tensor, approx: Approx) -> Tensor:
    """N A from a layer's input; its first dimension counts the examples."""
    if approx == "expand":
        return layers.input_moment(layer, inputs)
    return layers.second_moment(layers.input_means(layer, inputs))


def damped_inverses(a: Tensor, g: Tensor, damping: float) -> dict[str, Tensor] | None:
    """Inverses of A + pi sqrt(damping) I and G + sqrt(damping) / pi I.

    pi balances the two by their mean eigenvalues (Martens and Grosse 2015, arXiv 1503.05671,
    section 6.3). None where an inverse is not finite.
    """
    mean_a, mean_g = (x.diagonal().mean().clamp(min=TINY) for x in (a, g))
    pi = (mean_a / mean_g).sqrt()
    input_inverse = finite_or_none(inverse, damped(a, pi * damping**0.5))
    output_inverse = finite_or_none(inverse, damped(g, damping**0.5 / pi))
    if input_inverse is None or output_inverse is None:
        return None
    return {"input_inverse": input_inverse[0], "output_inverse": output_inverse[0]}


def eigenbases(a: Tensor, g: Tensor, damping: float) -> dict[str, Tensor] | None:
    """Eigenvectors of A and G, and the spectrum of A (x) G + damping I as [d_out, d_in].

    None where a decomposition fails.
    """
    of_a, of_g = finite_or_none(eigen, a), finite_or_none(eigen, g)
    if of_a is None or of_g is None:
        return None
    (values_a, basis_a), (values_g, basis_g) = of_a, of_g
    spectrum = values_g.outer(values_a) + damping
    return {"input_basis": basis_a, "output_basis": basis_g, "spectrum": spectrum}


def solve(state: Mapping[str, Tensor], gradient: Tensor) -> Tensor:
    """(A (x) G + damping I)^-1 on a gradient [d_out, d_in], by what `state` holds.

    Where it holds neither inverses nor eigenvectors, none was ever finite: the gradient itself.
    """
    if "input_inverse" in state:
        return state["output_inverse"] @ gradient @ state["input_inverse"]
    if "spectrum" in state:
        basis_a, basis_g = state["input_basis"], state["output_basis"]
        rotated = basis_g.T @ gradient @ basis_a
        return basis_g @ (rotated / state["spectrum"]) @ basis_a.T
    return gradient


def damped(matrix: Tensor, shift: Tensor) -> Tensor:
    """matrix + shift I."""
    return matrix + shift * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)


def inverse(matrix: Tensor) -> tuple[Tensor]:
    """The inverse of a symmetric positive definite matrix."""
    return (torch.cholesky_inverse(torch.linalg.cholesky(matrix)),)


def eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, those below 0 as 0, and eigenvectors of a symmetric matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return values.clamp(min=0), vectors


def finite_or_none(
    decompose: Callable[[Tensor], tuple[Tensor, ...]], matrix: Tensor
) -> tuple[Tensor, ...] | None:
    """A decomposition in the matrix's precision, else in float64, else None."""
    symmetric = (matrix + matrix.T) / 2
    for dtype in dict.fromkeys((matrix.dtype, torch.float64)):
        try:
            parts = decompose(symmetric.to(dtype))
        except RuntimeError:  # torch.linalg.LinAlgError
            continue
        if all(torch.isfinite(part).all() for part in parts):
            return tuple(part.to(matrix.dtype) for part in parts)
    return None
