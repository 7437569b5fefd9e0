"""Records what a network's layers take in, and what a loss sends back to them.

Hooks live inside one eager forward pass and are gone after it. A hook keeps a layer's input and the
place of its output in the autograd graph; `torch.autograd.grad` towards those places gives the
output's gradient as it was before any in-place activation, and leaves `.grad` alone. (Full backward
hooks return wrong gradients, or fail, under in-place ReLU, and never fire on a compiled module.)
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn.modules.batchnorm import _BatchNorm

from optbench.core.errors import UsageError

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Record:
    """One forward pass: logits [n, classes] or [n, tokens, classes], and what layers, by name, do.

    Inputs do not tell how a layer computes: LayerNorm hands float32 to layers in bfloat16.
    """

    logits: Tensor
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, GradientEdge]
    is_bf16: bool  # whether layers computed in bfloat16

    def output_gradients(self, logit_gradients: Tensor) -> dict[str, Tensor]:
        """The gradient of sum(logits * logit_gradients) at each layer's output, shaped as it.

        Args:
            logit_gradients: shaped as the logits. With the gradient of each loss, row n of a result
                belongs to the sum of example n's losses (N times what a mean over all N gives).
        """
        gradients = torch.autograd.grad(
            self.logits, list(self.outputs.values()), logit_gradients, retain_graph=True
        )
        return dict(zip(self.outputs, gradients, strict=True))


def record(
    model: nn.Module, forward: Forward, inputs: Tensor, layers: Mapping[str, nn.Module]
) -> Record:
    """Runs the bare model once in its present mode; BatchNorm's buffers are as before.

    Args:
        model: the network, not compiled.
        forward: maps inputs to logits [n, classes] or [n, tokens, classes] through `model`.
        inputs: [n, ...].
        layers: the modules to record, by name.

    Raises:
        UsageError: a layer is called twice, so that its record would mix two inputs; or its input
            is changed in place before it can be used, or is not one of n examples.
    """
    layer_inputs: dict[str, Tensor] = {}
    dtypes: set[torch.dtype] = set()
    outputs: dict[str, GradientEdge] = {}
    versions: dict[str, int] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            if name in layer_inputs:
                raise UsageError(
                    f"layer '{name}' is called twice in a forward pass: curvature of shared layers "
                    "is not defined here; train this network with a first-order optimizer"
                )
            layer_inputs[name], versions[name] = args[0].detach(), args[0]._version
            outputs[name] = get_gradient_edge(output)
            dtypes.add(output.dtype)

        return hook

    with torch.enable_grad(), spare_buffers(model), ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.callback(layer.register_forward_hook(keep(name)).remove)
        logits = forward(inputs)
    for name, tensor in layer_inputs.items():
        if tensor._version != versions[name]:
            raise UsageError(
                f"the input of layer '{name}' is changed in place after the layer has used it: "
                "let the operation behind it work out of place"
            )
        if len(tensor) != len(inputs):
            raise UsageError(
                f"the input of layer '{name}' is {list(tensor.shape)} in a batch of {len(inputs)}: "
                "its first dimension must count the examples, else whose curvature it has is not "
                "known; positions go behind it"
            )
    return Record(logits, layer_inputs, outputs, torch.bfloat16 in dtypes)


@contextmanager
def spare_buffers(model: nn.Module) -> Iterator[None]:
    """Inside, the model writes to copies of its buffers, BatchNorm's running statistics for one.

    Copies, since writing the old values back would spoil what autograd has kept of them.
    """
    owned = [
        (module, name, buffer)
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    for module, name, buffer in owned:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in owned:
            setattr(module, name, buffer)


@contextmanager
def frozen_statistics(model: nn.Module, forward: Forward, inputs: Tensor) -> Iterator[None]:
    """Inside, BatchNorm normalises with the statistics of `inputs`, as constants.

    Else an example's loss would depend on the other examples of its batch, and a Jacobian of one
    example would not exist. The variance is the unbiased one, as in BatchNorm's buffers.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training]
    before: list[Any] = [norm.momentum for norm in norms]
    with spare_buffers(model):
        for norm in norms:
            norm.momentum = 1.0
        try:
            with torch.no_grad():
                forward(inputs)
            for norm in norms:
                norm.eval()
            yield
        finally:
            for norm, momentum in zip(norms, before, strict=True):
                norm.momentum = momentum
                norm.train()
