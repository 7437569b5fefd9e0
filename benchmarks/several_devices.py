"""What several devices send and repeat in a step of ResNet-50, counted layer by layer; on paper.

Nothing is trained: shapes are those of torchvision's resnet50 at 224 pixels. A multiplication and
an addition are two operations.
"""

from dataclasses import dataclass

import torch
from tabulate import tabulate
from torch import Tensor, nn
from torchvision.models import resnet50

SIDE = 224
NEWTON_SCHULZ_STEPS = 5
LARGEST = 2048  # side of a factor of SOAP and Shampoo
BYTES = 4
DEVICES = (8, 64)


@dataclass(frozen=True)
class Shape:
    """A layer's weight as a matrix, a bias being a column, and where it is applied."""

    d_in: int
    d_out: int
    positions: int
    is_hidden: bool

    @property
    def factors(self) -> int:
        """Elements of K-FAC's A and G."""
        return self.d_in**2 + self.d_out**2

    @property
    def inversions(self) -> int:
        """Operations of Cholesky's factors (n^3 / 3) and inverses (2 n^3 / 3)."""
        return self.d_in**3 + self.d_out**3

    @property
    def newton_schulz(self) -> int:
        """Operations of Muon's iteration: three products a step."""
        a, b = sorted((self.d_in, self.d_out))
        return NEWTON_SCHULZ_STEPS * (4 * a * a * b + 2 * a**3)


def shapes(model: nn.Module) -> list[Shape]:
    """Those of all convolutions and linear layers, in the order of their calls."""
    listed: list[Shape] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight = layer.weight
        assert isinstance(weight, Tensor)
        d_in = weight[0].numel() + (layer.bias is not None)
        is_linear = isinstance(layer, nn.Linear)
        is_hidden = not is_linear and inputs[0].shape[1] != 3
        listed.append(Shape(d_in, len(weight), output[0, 0].numel(), is_hidden))

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(note)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, SIDE, SIDE))
    return listed


def largest_load(work: list[int], devices: int) -> int:
    """Work of the busiest device, the largest pieces being dealt first, each to the idlest."""
    loads = [0] * devices
    for piece in sorted(work, reverse=True):
        loads[loads.index(min(loads))] += piece
    return max(loads)


def main() -> None:
    """Prints the counts."""
    model = resnet50()
    layers = shapes(model)
    hidden = [layer.newton_schulz for layer in layers if layer.is_hidden]
    tensors = [p for p in model.parameters() if p.dim() > 1]
    sides = [(p.numel(), side) for p in tensors for side in p.shape if side <= LARGEST]
    parameters = sum(p.numel() for p in model.parameters())
    factors = sum(layer.factors for layer in layers)
    inversions = [layer.inversions for layer in layers]
    forward = 2 * sum(x.d_in * x.d_out * x.positions for x in layers)
    rows = [
        ("parameters, M", parameters / 1e6),
        ("gradients, MB", parameters * BYTES / 1e6),
        ("an image forward and backward, GFLOP", 3 * forward / 1e9),
        ("K-FAC: layers", len(layers)),
        ("K-FAC: A, MB", sum(x.d_in**2 for x in layers) * BYTES / 1e6),
        ("K-FAC: G, MB", sum(x.d_out**2 for x in layers) * BYTES / 1e6),
        ("K-FAC: A and G, MB", factors * BYTES / 1e6),
        ("K-FAC: factors of an image, GFLOP",
         2 * sum(x.factors * x.positions for x in layers) / 1e9),
        ("K-FAC: all inversions, GFLOP", sum(inversions) / 1e9),
        ("K-FAC: inversions of the largest layer, GFLOP", max(inversions) / 1e9),
        ("K-FAC: preconditioning a step, GFLOP",
         2 * sum(x.d_in * x.d_out * (x.d_in + x.d_out) for x in layers) / 1e9),
        ("Muon: iterations a step, GFLOP", sum(hidden) / 1e9),
        ("SOAP, Shampoo: factors, MB", sum(side**2 for _, side in sides) * BYTES / 1e6),
        ("SOAP: a turn of a gradient, GFLOP", 2 * sum(n * side for n, side in sides) / 1e9),
    ]  # fmt: skip
    for count in DEVICES:
        ring = 2 * (count - 1) / count
        rows += [
            (f"{count} devices: gradients a device sends, MB", ring * parameters * BYTES / 1e6),
            (f"{count} devices: factors a device sends, MB", ring * factors * BYTES / 1e6),
            (f"{count} devices: busiest device's inversions, GFLOP",
             largest_load(inversions, count) / 1e9),
            (f"{count} devices: busiest device's iterations of Muon, GFLOP",
             largest_load(hidden, count) / 1e9),
        ]  # fmt: skip
    print(tabulate(rows, headers=("ResNet-50", ""), floatfmt=",.1f"))


if __name__ == "__main__":
    main()
