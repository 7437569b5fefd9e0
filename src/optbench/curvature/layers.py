"""Linear and Conv2d as one matrix product: output row = weight @ input row, at every position.

A position is a place of the output image; a Linear layer has one, or as many as its input has
leading dimensions. An input row is a patch in the order of `weight.flatten(1)`, with a 1 behind it
where the layer has a bias; an output row is a vector of channels (Grosse and Martens 2016,
arXiv 1602.01407, section 2.2).
"""

import itertools
from collections.abc import Sequence
from typing import TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from optbench.core.errors import UsageError

Layer = nn.Linear | nn.Conv2d
Pair = tuple[int, int]
CHUNK = 2**24  # numbers in the patches that are alive at once


def owners(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that have parameters of their own, by name.

    Raises:
        UsageError: two of them share a parameter, for whose curvature there is no formula here.
    """
    modules: dict[str, nn.Module] = {}
    first: dict[nn.Parameter, str] = {}
    for name, module in model.named_modules():
        for p in module.parameters(recurse=False):
            modules[name] = module
            if (other := first.setdefault(p, name)) != name:
                raise UsageError(
                    f"layers '{other}' and '{name}' share a parameter: curvature of shared layers "
                    "is not defined here; train this network with a first-order optimizer"
                )
    return modules


def unsupported(module: nn.Module) -> str | None:
    """Why a module with parameters is no single matrix product; None where it is."""
    if isinstance(module, NonDynamicallyQuantizableLinear):  # its weight is used, without a call
        return "Linear inside MultiheadAttention"
    if isinstance(module, nn.Linear):
        return None
    if not isinstance(module, nn.Conv2d):
        return type(module).__name__
    if module.groups != 1:
        return "grouped Conv2d"
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        return f"Conv2d with padding '{module.padding}', mode '{module.padding_mode}'"
    return None


def is_frozen(module: nn.Module) -> bool:
    """Whether some of a module's parameters are not trained."""
    return not all(p.requires_grad for p in module.parameters(recurse=False))


def is_supported(module: nn.Module) -> TypeGuard[Layer]:
    """Whether the functions below take this module."""
    return unsupported(module) is None


def matrix_shape(layer: Layer) -> Pair:
    """d_out and d_in of a layer's matrix; d_in counts the input row, so 1 for a bias."""
    return layer.weight.shape[0], layer.weight[0].numel() + (layer.bias is not None)


def gradient_matrix(layer: Layer) -> Tensor | None:
    """The gradient of a layer's parameters as one matrix [d_out, d_in]; None where it has none."""
    if layer.weight.grad is None:
        return None
    weight = layer.weight.grad.flatten(1)
    if layer.bias is None:
        return weight
    assert layer.bias.grad is not None
    return torch.cat([weight, layer.bias.grad[:, None]], dim=1)


def split_matrix(layer: Layer, matrix: Tensor) -> dict[Tensor, Tensor]:
    """A matrix [d_out, d_in] as tensors of the shapes of the weight and the bias, by parameter."""
    if layer.bias is None:
        return {layer.weight: matrix.reshape(layer.weight.shape)}
    weight, bias = matrix[:, :-1], matrix[:, -1]
    return {layer.weight: weight.reshape(layer.weight.shape), layer.bias: bias}


def input_rows(layer: Layer, inputs: Tensor) -> Tensor:
    """A layer's input as rows [n, positions, d_in]."""
    if isinstance(layer, nn.Linear):
        rows = inputs.reshape(len(inputs), -1, inputs.shape[-1])
    else:
        kernel, stride, dilation, padding = geometry(layer)
        if kernel == (1, 1) and padding == (0, 0):
            rows = inputs[:, :, :: stride[0], :: stride[1]].permute(0, 2, 3, 1).flatten(1, 2)
        else:
            unfolded = F.unfold(inputs, kernel, dilation, padding, stride)  # [n, d_in, positions]
            rows = unfolded.transpose(1, 2)
    return rows if layer.bias is None else F.pad(rows, (0, 1), value=1.0)


def output_rows(layer: Layer, gradients: Tensor) -> Tensor:
    """Gradients at a layer's output as rows [n, positions, d_out]."""
    if isinstance(layer, nn.Linear):
        return gradients.reshape(len(gradients), -1, gradients.shape[-1])
    return gradients.permute(0, 2, 3, 1).flatten(1, 2)


def geometry(layer: nn.Conv2d) -> tuple[Pair, Pair, Pair, Pair]:
    """A convolution's kernel, stride, dilation and padding, as (rows, columns) each."""
    values = (layer.kernel_size, layer.stride, layer.dilation, layer.padding)
    return cast("tuple[Pair, Pair, Pair, Pair]", values)


def second_moment(rows: Tensor) -> Tensor:
    """Sum of the outer products of rows [..., d] with themselves, in float32 or better; [d, d]."""
    flat = rows.flatten(0, -2)
    flat = flat if flat.dtype == torch.float64 else flat.float()
    return flat.T @ flat


def input_moment(layer: Layer, inputs: Tensor) -> Tensor:
    """Sum over examples and positions of a a^T for the input rows a; [d_in, d_in].

    Convolutions of stride 1 need no patches: see `moment_without_patches`.
    """
    if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1) and layer.stride == (1, 1):
        return moment_without_patches(layer, inputs)
    # In chunks: the patches of a 3 x 3 convolution are nine times its input.
    chunks = torch.split(inputs, max(1, CHUNK // input_size(layer, inputs)))
    return cast("Tensor", sum(second_moment(input_rows(layer, chunk)) for chunk in chunks))


def input_size(layer: Layer, inputs: Tensor) -> int:
    """An upper bound of the numbers in one example's input rows."""
    kernel = layer.weight[0, 0].numel() if isinstance(layer, nn.Conv2d) else 1
    return inputs[0].numel() * kernel


def input_means(layer: Layer, inputs: Tensor) -> Tensor:
    """Each example's mean input row over its positions; [n, d_in]."""
    if isinstance(layer, nn.Linear):
        return input_rows(layer, inputs).mean(dim=1)
    kernel, stride, dilation, padding = geometry(layer)
    padded = F.pad(inputs, (padding[1], padding[1], padding[0], padding[0]))
    sizes = output_size(layer, inputs)
    taps = []
    for tap in itertools.product(*map(range, kernel)):
        rows, columns = (
            slice(tap[i] * dilation[i], tap[i] * dilation[i] + sizes[i] * stride[i], stride[i])
            for i in (0, 1)
        )
        taps.append(padded[:, :, rows, columns].flatten(2).mean(dim=2))  # [n, channels]
    means = torch.stack(taps, dim=2).flatten(1)  # [n, channels * kernel]
    return means if layer.bias is None else F.pad(means, (0, 1), value=1.0)


def output_size(layer: nn.Conv2d, inputs: Tensor) -> Pair:
    """Rows and columns of a convolution's output."""
    kernel, stride, dilation, padding = geometry(layer)
    height, width = (
        (inputs.shape[2 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        for i in (0, 1)
    )
    return height, width


def moment_without_patches(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """`input_moment` of a convolution of stride 1, from products of shifted images; [d_in, d_in].

    The block of two taps is a sum over pixels x(p) x(p + delta)^T, where delta is the taps'
    displacement. Pairs of taps with the same displacement differ only in which pixels lie within
    their window, so one product over all pixels serves them all, and each subtracts the strips
    outside its own window: 13 products of [channels, channels] in place of 45 for a 3 x 3 kernel.
    """
    kernel, _, dilation, padding = geometry(layer)
    sizes = output_size(layer, inputs)
    pixels = inputs.permute(0, 2, 3, 1)  # [n, h, w, c]
    pixels = pixels if pixels.dtype == torch.float64 else pixels.float()
    channels = pixels.shape[3]
    taps = list(itertools.product(*map(range, kernel)))
    blocks = pixels.new_empty(len(taps), len(taps), channels, channels)
    full: dict[Pair, Tensor] = {}
    for (i, one), (j, other) in itertools.combinations_with_replacement(enumerate(taps), 2):
        shift = tuple((other[axis] - one[axis]) * dilation[axis] for axis in (0, 1))
        delta = cast("Pair", shift)
        area = [overlap(pixels.shape[1 + axis], delta[axis]) for axis in (0, 1)]
        starts = [one[axis] * dilation[axis] - padding[axis] for axis in (0, 1)]
        windows = [(starts[axis], starts[axis] + sizes[axis]) for axis in (0, 1)]
        if delta not in full:
            full[delta] = shifted_product(pixels, area[0], area[1], delta)
        block = full[delta].clone()
        for rows in outside(area[0], windows[0]):
            block -= shifted_product(pixels, rows, area[1], delta)
        inside = intersection(area[0], windows[0])
        for columns in outside(area[1], windows[1]):
            block -= shifted_product(pixels, inside, columns, delta)
        blocks[i, j] = block
        blocks[j, i] = block.T
    # [tap, tap', c, c'] -> [c, tap, c', tap']
    moment = blocks.permute(2, 0, 3, 1).reshape(channels * len(taps), channels * len(taps))
    return moment if layer.bias is None else with_bias(layer, inputs, moment)


def with_bias(layer: nn.Conv2d, inputs: Tensor, moment: Tensor) -> Tensor:
    """Adds to a moment of patches the row and column of the constant 1 behind each patch."""
    height, width = output_size(layer, inputs)
    wide = inputs if inputs.dtype == torch.float64 else inputs.float()
    sums = input_means(layer, wide).sum(dim=0, keepdim=True) * (height * width)  # [1, d_in]
    return torch.cat([torch.cat([moment, sums[:, :-1]]), sums.T], dim=1)


def shifted_product(pixels: Tensor, rows: Pair, columns: Pair, delta: Pair) -> Tensor:
    """Sum of x(p) x(p + delta)^T over examples and p in rows x columns; [channels, channels]."""
    channels = pixels.shape[3]
    here = pixels[:, rows[0] : rows[1], columns[0] : columns[1]].reshape(-1, channels)
    there = pixels[
        :,
        rows[0] + delta[0] : rows[1] + delta[0],
        columns[0] + delta[1] : columns[1] + delta[1],
    ].reshape(-1, channels)
    return here.T @ there


def overlap(size: int, delta: int) -> Pair:
    """The p of [0, size) for which p + delta is in [0, size) too."""
    low = max(0, -delta)
    return low, max(low, min(size, size - delta))


def intersection(area: Pair, window: Pair) -> Pair:
    """What two ranges share; of length 0 where they share nothing."""
    low = max(area[0], window[0])
    return low, max(low, min(area[1], window[1]))


def outside(area: Pair, window: Pair) -> Sequence[Pair]:
    """The parts of a range that lie before and behind a window, those of length 0 left out."""
    before = (area[0], max(area[0], min(area[1], window[0])))
    behind = (max(area[0], min(area[1], window[1])), area[1])
    return [part for part in (before, behind) if part[1] > part[0]]
