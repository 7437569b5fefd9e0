"""From a Run to the parts that train it, each seeded from the run's seed."""

import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from optbench.core import randomness, registry, roles
from optbench.core.errors import UsageError
from optbench.core.packages import distributions_of
from optbench.core.run import SCORING_SHARE, Run, Settings
from optbench.core.world import ALONE, World
from optbench.tasks.protocol import Batches, Task
from optbench.training.device import fingerprint, set_up_process
from optbench.training.loop import Learner, Training
from optbench.training.processes import averaging, join, require_alike
from optbench.training.scheduling import Scheduler

DATA = Path("data/raw")
POINTS = 20  # of a run's history
FORWARD_SHARE = 1 / 3  # of a training step, what a forward pass takes


def prepare(run: Run) -> Training:
    """A run's training before its first step.

    Raises:
        UsageError: the device is absent, the data is missing or damaged, or parts do not fit.
    """
    settings = run.settings
    device = set_up_process(settings)
    world = join(settings)
    task = build_task(settings, run.seed, device)
    place = fingerprint(settings, device, task)
    require_alike(world, randomness.key(0, json.dumps(place)) % 2**63)
    learner = build_learner(run, task, device, world)
    if (examples := task.test().examples) < settings.devices:
        raise UsageError(
            f"settings.devices: got {settings.devices}, and the test set of {settings.dataset} has "
            f"{examples} examples, so that some would have none to score: take fewer"
        )
    steps = settings.budget.total_steps(len(task.train))
    return Training(
        learner=learner,
        scheduler=build_scheduler(run, learner.optimizer, steps, len(task.train)),
        heldout=heldout_part(task, steps * settings.batch_size, least=settings.devices),
        recount=registry.load_score(settings.task).recount,
        points=points(steps),
        fingerprint=place,
    )


def points(steps: int) -> Sequence[int]:
    """The steps after which a run is looked at: 20, evenly spread, the last at the end."""
    return sorted({-(-steps * k // POINTS) for k in range(1, POINTS + 1)})


def heldout_part(task: Task, trained: int, *, least: int = 1) -> Batches:
    """What is scored at each point: a fixed part of the validation set, or of the test set.

    It is as large as the share of the time allows that all scoring may take, by the examples that
    pass through the network. Under `full` it draws curves and decides nothing.

    Args:
        task: the run's.
        trained: examples that the run trains on, each as often as it does.
        least: examples, so that each device has one to score.
    """
    validation, test = task.validation(), task.test()
    once = test.examples + (validation.examples if validation else 0)  # scored at the end
    allowed = SCORING_SHARE * trained / FORWARD_SHARE - once
    limit = max(least, int(allowed / POINTS))
    return task.validation(limit) or task.test(limit)


def build_task(settings: Settings, seed: int, device: torch.device) -> Task:
    """The workload's task on its data, verified."""
    task: Task = registry.load("tasks", settings.task).build(
        settings, DATA / settings.dataset, seed=seed, device=device, **settings.task_args
    )
    return task


def build_model(settings: Settings, task: Task, seed: int, device: torch.device) -> nn.Module:
    """The network, initialised from the seed on the CPU, in channels-last layout.

    Of what the data tell, it gets the arguments that it has.
    """
    torch.manual_seed(randomness.key(seed, "initialisation") % 2**63)
    build = registry.load("models", settings.network).build
    accepted = inspect.signature(build).parameters
    supplied = {name: value for name, value in task.network_args.items() if name in accepted}
    model: nn.Module = build(**supplied, **settings.network_args)
    return model.to(device).to(memory_format=torch.channels_last)


def build_optimizer(
    name: str, model: nn.Module, settings: Settings, optimizer_args: Mapping[str, Any]
) -> Optimizer:
    """The optimizer over all parameters; norm parameters and biases decay as the workload says.

    Each group says the role of its parameters, see `core.roles`; a network that declares no
    `HEADS` has none.
    """
    heads = getattr(registry.load("models", settings.network), "HEADS", ())
    groups = roles.param_groups(model, heads)
    if not settings.decay_norm_and_bias:
        for group in groups:
            if group["role"] == roles.VECTOR:
                group["weight_decay"] = 0.0
    optimizer: Optimizer = registry.load("optimizers", name).build(model, groups, **optimizer_args)
    return optimizer


def build_learner(run: Run, task: Task, device: torch.device, world: World = ALONE) -> Learner:
    """The network, initialised from the run's seed, and its optimizer."""
    settings = run.settings
    model = build_model(settings, task, run.seed, device)
    shared = averaging(model, world)
    return Learner(
        model=model,
        forward=torch.compile(model) if settings.compile else model,
        averaging=torch.compile(shared) if settings.compile else shared,
        optimizer=build_optimizer(run.optimizer, model, settings, run.optimizer_args),
        task=task,
        precision=settings.precision,
        device=device,
        world=world,
    )


def build_scheduler(run: Run, optimizer: Optimizer, steps: int, steps_per_epoch: int) -> Scheduler:
    """The run's schedule, ready to steer the optimizer."""
    return Scheduler(
        optimizer,
        registry.load("schedules", run.schedule).factor,
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        **run.schedule_args,
    )


def packages(optimizer: Optimizer) -> dict[str, str]:
    """The versions of the packages that an optimizer's class and its bases come from."""
    modules = {base.__module__.partition(".")[0] for base in type(optimizer).__mro__}
    foreign = sorted(modules - set(sys.stdlib_module_names))
    return {name: v for module in foreign for name, v in distributions_of(module).items()}
