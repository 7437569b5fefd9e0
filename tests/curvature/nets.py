"""Small float64 networks, and the oracles that several tests compare with."""

import copy
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn import functional as F

from optbench.core.objective import Objective
from optbench.curvature import kronecker
from optbench.curvature.record import Record, record
from optbench.optimizers.kfac import logit_gradients
from optbench.supervision.state import pack, unpack

CLASSES = 3


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def labels(n: int, seed: int = 1) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).integers(0, CLASSES, size=n))


def seeded(*modules: nn.Module, seed: int = 0) -> nn.Sequential:
    """The modules in a row, in float64, their parameters and statistics drawn from the seed."""
    model = nn.Sequential(*modules).double()
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        for p in module.parameters(recurse=False):
            p.data = torch.randn(p.shape, generator=generator, dtype=p.dtype)
            p.data /= max(1, p[0].numel()) ** 0.5
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return model


def conv_net(**kwargs) -> nn.Sequential:
    """For images [n, 2, 7, 8]: stride, dilation, padding and bias in all their pairings."""
    return seeded(
        nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(1, 2)),
        nn.Tanh(),
        nn.Conv2d(3, 4, 2, dilation=(2, 1), bias=False),
        nn.Tanh(),
        nn.Conv2d(4, 3, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(3, 2, 1, stride=2),
        nn.Flatten(),
        nn.Linear(18, 4),
        nn.Tanh(),
        nn.Linear(4, CLASSES, bias=False),
        **kwargs,
    )


def norm_net(**kwargs) -> nn.Sequential:
    """For images [n, 2, 6, 6], with BatchNorm and a ReLU in place."""
    return seeded(
        nn.Conv2d(2, 3, 3, stride=2, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 4, 2, bias=False),
        nn.Flatten(),
        nn.BatchNorm1d(16),
        nn.Tanh(),
        nn.Linear(16, CLASSES),
        **kwargs,
    )


def mlp(*widths: int, activation: type[nn.Module] = nn.Tanh, **kwargs) -> nn.Sequential:
    parts: list[nn.Module] = []
    for this, other in pairwise(widths):
        parts += [nn.Linear(this, other), activation()]
    return seeded(*parts[:-1], **kwargs)


def matrices(model: nn.Module) -> dict[str, nn.Module]:
    wanted = nn.Linear | nn.Conv2d
    return {name: m for name, m in model.named_modules() if isinstance(m, wanted)}


def owners(model: nn.Module) -> dict[str, nn.Module]:
    """All modules with parameters of their own."""
    return {n: m for n, m in model.named_modules() if list(m.parameters(recurse=False))}


def take(model: nn.Module, images: Tensor) -> Record:
    return record(model, model, images, owners(model))


def factors(
    model: nn.Module, images: Tensor, targets: Tensor, fisher: str, approx: str = "expand", seed=0
) -> dict[str, tuple[Tensor, Tensor]]:
    """The factors that the project computes."""
    layers = matrices(model)
    taken = record(model, model, images, layers)
    generator = torch.Generator().manual_seed(seed)
    sources = logit_gradients(taken.logits, targets, fisher, generator)
    return kronecker.factors(taken, layers, sources, approx)


def block(a: Tensor, g: Tensor) -> Tensor:
    """A (x) G over a matrix [d_out, d_in] read row by row."""
    return torch.kron(g, a)


def objective(model: nn.Module, images: Tensor, targets: Tensor) -> Objective:
    def backward() -> Tensor:
        model.zero_grad()
        loss = F.cross_entropy(model(images).flatten(0, -2), targets.flatten())
        loss.backward()
        return loss

    return Objective(images, targets, "categorical", forward=model, backward=backward)


def jacobian(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """functorch's Jacobian of the logits, [n, classes, p] a module, in the project's order."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def logits(values: dict[str, Tensor], image: Tensor) -> Tensor:
        return functional_call(model, {**values, **buffers}, (image[None],))[0]

    by_parameter = vmap(jacrev(logits), in_dims=(None, 0))(parameters, images)
    return {name: join(name, module, by_parameter) for name, module in owners(model).items()}


def join(name: str, module: nn.Module, parts: dict[str, Tensor]) -> Tensor:
    """Joins [..., *weight.shape] and [..., *bias.shape] to [..., p], row by row."""
    weight = parts[f"{name}.weight"]
    lead = weight.ndim - module.weight.ndim
    if module.bias is None:
        return weight.flatten(lead)
    bias = parts[f"{name}.bias"]
    if module.weight.ndim == 1:
        return torch.cat([weight, bias], dim=-1)
    return torch.cat([weight.flatten(lead + 1), bias[..., None]], dim=-1).flatten(lead)


def gradient(model: nn.Module) -> Tensor:
    """`.grad` of all parameters in the project's order; [p]."""
    parts = {name: p.grad for name, p in model.named_parameters()}
    return torch.cat([join(name, module, parts) for name, module in owners(model).items()])


def values(model: nn.Module) -> Tensor:
    """All parameters in the project's order; [p]."""
    parts = {name: p.detach().clone() for name, p in model.named_parameters()}
    return torch.cat([join(name, module, parts) for name, module in owners(model).items()])


def distance(this: Tensor, other: Tensor) -> float:
    """The relative Frobenius distance of one from the other."""
    return ((this - other).norm() / other.norm()).item()


def saved_and_loaded(state: dict) -> dict:
    """A state_dict after a way through a file."""
    return unpack(pack(state))


def resumed_equals(build, data, stop: int, *, before_saving=None, lose=None) -> bool:
    """Whether a run that is stopped after some steps goes on, to the bit, as one that was not.

    `build` makes an optimizer of a model; `lose` may spoil what was loaded.
    """
    model, other = norm_net(), norm_net(seed=1)
    optimizer = build(model)
    for images, targets in data[:stop]:
        optimizer.step(objective(model, images, targets))
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    again = build(other)
    if before_saving:
        before_saving(optimizer)
    again.load_state_dict(saved_and_loaded(optimizer.state_dict()))
    assert optimizer.diagnostics() == again.diagnostics()
    if lose:
        lose(again)
    equal = True
    for images, targets in data[stop:]:
        torch.manual_seed(0)  # nobody else's seed matters
        optimizer.step(objective(model, images, targets))
        torch.manual_seed(1)
        again.step(objective(other, images, targets))
        equal &= torch.equal(values(model), values(other))
    return equal
