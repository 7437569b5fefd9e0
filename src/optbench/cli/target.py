"""An optimizer's class that a person names: where it is, whether it trains here, how it decays."""

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from optbench.cli.creation import BY_HAND
from optbench.core import roles
from optbench.core.errors import UsageError
from optbench.core.objective import Objective
from optbench.params.code import is_installed
from optbench.params.messages import unknown
from optbench.supervision.state import pack, unpack

STEPS = 4
DECAY = 0.3  # so strong that steps by the sign of the gradient change too
TOLERANCE = 1e-9  # relative, in float64
SOURCE = Path("src")
L2, DECOUPLED, OTHER = "L2", "decoupled", "other"  # forms of weight decay


def import_class(target: str) -> type[Optimizer]:
    """The class of a dotted name.

    Raises:
        UsageError: there is none, it is no optimizer, or stages could not import it.
    """
    module_name, _, name = target.rpartition(".")
    if not module_name:
        raise UsageError(
            f"--target: got {target!r}: must name a class with its package, as torch.optim.NAdam"
        )
    package = target.partition(".")[0]
    require_importable(package)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # what a package raises when it is imported is not known here
        raise UsageError(
            f"--target: {module_name} cannot be imported: {error}: mend it, or name another"
        ) from error
    if not hasattr(module, name):
        public = [other for other in dir(module) if not other.startswith("_")]
        raise UsageError(unknown("--target", f"name in {module_name}", name, public))
    found: Any = getattr(module, name)
    if not (isinstance(found, type) and issubclass(found, Optimizer) and found is not Optimizer):
        raise UsageError(f"--target: got '{target}': must be a class made after torch.optim's")
    return found


def require_importable(package: str) -> None:
    """Refuses what stages, which have src alone in PYTHONPATH, cannot import.

    Raises:
        UsageError: the package is not there, or would not be for them.
    """
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )
    if done.returncode:
        raise UsageError(
            f"--target: stages cannot import {package}: install it, by `python -m pip install -e "
            f"FOLDER` where you develop it, or put it into {SOURCE}/ beside optbench"
        )


def developed_at(package: str) -> Path | None:
    """The folder, or single file, of a package that is developed; None of one that is installed.

    Raises:
        UsageError: it is a folder without __init__.py, whose changes would go unnoticed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UsageError(f"--target: {package} has no __init__.py: give it one")
    origin = Path(spec.origin)
    if is_installed(origin):
        return None
    return (origin.parent if spec.submodule_search_locations else origin).resolve()


def has_modes(target: type[Optimizer]) -> bool:
    """Whether it trains some weights and judges others, averages for one: `train`, `eval`."""
    return all(callable(getattr(target, mode, None)) for mode in ("train", "eval"))


def build(target: type[Optimizer], params: Iterable[Any], args: Mapping[str, Any]) -> Optimizer:
    """An optimizer that is ready to train, as the wrapper builds it."""
    optimizer: Any = target(params, **args)
    if has_modes(target):
        optimizer.train()
    made: Optimizer = optimizer
    return made


def require_trains(target: type[Optimizer], args: Mapping[str, Any]) -> None:
    """Takes steps as the trainer does, on a small network, and resumes in between.

    Raises:
        UsageError: the optimizer cannot be built, stepped with a closure, steered, or resumed.
    """
    try:
        model, resumed = network(), network()
        optimizer = build(target, roles.param_groups(model, heads=()), args)
        take_step(model, optimizer)
        take_step(model, optimizer)
        state, weights = pack(optimizer.state_dict()), pack(model.state_dict())
        other = build(target, roles.param_groups(resumed, heads=()), args)
        other.load_state_dict(unpack(state))
        resumed.load_state_dict(unpack(weights))
        take_step(model, optimizer)
        take_step(resumed, other)
    except Exception as error:  # whatever an optimizer of others raises
        raise UsageError(
            f"--target: it does not step as the trainer needs it: {type(error).__name__}: {error}: "
            f"{BY_HAND}"
        ) from error
    if not all("lr" in group for group in optimizer.param_groups):
        raise UsageError(
            f"--target: its parameter groups have no lr, which schedules steer: {BY_HAND}"
        )
    if pack(model.state_dict()) != pack(resumed.state_dict()):
        raise UsageError(
            "--target: it does not go on as before from its state_dict, so a killed run could not "
            f"be resumed to the bit: {BY_HAND}"
        )


def network() -> nn.Module:
    """A convolution, a bias and a matrix, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))


def take_step(model: nn.Module, optimizer: Optimizer) -> None:
    """One step on a fixed batch.

    Raises:
        ValueError: the optimizer never asked for the loss, or its weights are not finite.
    """
    inputs, targets = torch.linspace(-1, 1, 64).reshape(4, 1, 4, 4), torch.arange(4) % 3
    losses: list[Tensor] = []

    def backward() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(inputs), targets)
        torch.autograd.backward(loss)
        losses.append(loss.detach())
        return loss

    objective = Objective(inputs, targets, "categorical", forward=model, backward=backward)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        optimizer.step(objective)  # type: ignore[arg-type]
    if not losses:
        raise ValueError("its step does not call the closure, which computes the gradient")
    if not all(bool(p.isfinite().all()) for p in model.parameters()):
        raise ValueError("its step leaves weights that are not finite")


def decay_form(target: type[Optimizer], args: Mapping[str, Any]) -> str | None:
    """How weight decay acts, by what it does to weights; None: the optimizer refuses to show it.

    L2: steps are those of an objective with the penalty decay / 2 * |w|^2. Decoupled: where the
    gradient is zero, each step shrinks the weights by lr x decay. Else it is other.

    Args:
        target: the optimizer.
        args: its arguments, weight_decay among them.
    """
    if args.get("momentum") == 0:  # without momentum, the two are one
        args = {**args, "momentum": 0.9}
    slope = torch.linspace(-1, 2, 8, dtype=torch.float64)
    try:
        decayed = trajectory(target, args, slope=slope, decay=DECAY)
        penalised = trajectory(target, args, slope=slope, penalty=DECAY)
        plain = trajectory(target, args, slope=slope)
        shrunk = trajectory(target, args, slope=0 * slope, decay=DECAY)
    except Exception:  # whatever an optimizer of others raises
        return None
    if torch.allclose(decayed, penalised, rtol=TOLERANCE, atol=0) and not decayed.equal(plain):
        return L2
    expected = start() * (1 - args["lr"] * DECAY) ** STEPS
    return DECOUPLED if torch.allclose(shrunk, expected, rtol=TOLERANCE, atol=0) else OTHER


def start() -> Tensor:
    """Weights, [8], to begin with."""
    return torch.linspace(1, 2, 8, dtype=torch.float64)


def trajectory(
    target: type[Optimizer],
    args: Mapping[str, Any],
    *,
    slope: Tensor,
    decay: float = 0.0,
    penalty: float = 0.0,
) -> Tensor:
    """Where some steps on slope . w + penalty / 2 * |w|^2 lead, [8]."""
    weights = nn.Parameter(start())
    optimizer = build(target, [weights], {**args, "weight_decay": decay})
    weights.data.copy_(start())  # whatever the mode made of them

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = (slope * weights).sum() + penalty / 2 * weights.square().sum()
        torch.autograd.backward(loss)
        return loss

    for _ in range(STEPS):
        optimizer.step(closure)  # type: ignore[arg-type]
    return weights.detach()
