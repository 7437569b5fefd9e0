"""From a Run to the parts that train it, each seeded from the run's seed."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from optbench.core import registry
from optbench.core.errors import UsageError
from optbench.core.images import ImageData, every_kth_of_class
from optbench.core.run import Run, Workload
from optbench.training import randomness
from optbench.training.batches import EvalBatches, TrainBatches
from optbench.training.device import fingerprint, set_up_process
from optbench.training.loop import Learner, Training
from optbench.training.scheduling import Scheduler

DATA = Path("data/raw")
# Under `holdout`, every tenth image of each class is for validation: 5,000 of CIFAR-10's.
VALIDATION_EVERY = 10
EVAL_BATCH_SIZE = 1000  # has no influence on what is learnt


def prepare(run: Run) -> Training:
    """A run's training before its first step.

    Raises:
        UsageError: the device is absent, the data is missing or damaged, or parts do not fit.
    """
    settings = run.settings
    device = set_up_process(settings)
    data = load_data(settings)
    train, heldout, test = build_batches(settings, data, run.seed, device)
    learner = build_learner(run, data, device)
    return Training(
        learner=learner,
        scheduler=build_scheduler(run, learner.optimizer, len(train)),
        train=train,
        heldout=heldout,
        test=test,
        epochs=settings.epochs,
        fingerprint=fingerprint(settings, device, data.digest),
    )


def load_data(settings: Workload) -> ImageData:
    """The workload's data set, verified."""
    data: ImageData = registry.load("datasets", settings.dataset).load(DATA / settings.dataset)
    return data


def build_model(settings: Workload, data: ImageData, seed: int, device: torch.device) -> nn.Module:
    """The network, initialised from the seed on the CPU, in channels-last layout."""
    torch.manual_seed(randomness.key(seed, "initialisation") % 2**63)
    model: nn.Module = registry.load("models", settings.network).build(
        channels=data.train.pixels.shape[3], classes=len(data.classes), **settings.network_args
    )
    return model.to(device).to(memory_format=torch.channels_last)


def build_optimizer(
    name: str, model: nn.Module, settings: Workload, optimizer_args: dict[str, Any]
) -> Optimizer:
    """The optimizer over all parameters; norm parameters and biases decay as the workload says."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors}]
    if not settings.decay_norm_and_bias:
        groups[1]["weight_decay"] = 0.0
    optimizer: Optimizer = registry.load("optimizers", name).build(model, groups, **optimizer_args)
    return optimizer


def build_batches(
    settings: Workload, data: ImageData, seed: int, device: torch.device
) -> tuple[TrainBatches, EvalBatches, EvalBatches]:
    """Batches to train on, the held-out ones, and the test set's.

    Raises:
        UsageError: a batch is larger than the training set.
    """
    train, heldout = data.train, data.test
    if settings.train_split == "holdout":
        validation = every_kth_of_class(data.train.labels, VALIDATION_EVERY)
        train, heldout = data.train.take(~validation), data.train.take(validation)
    if settings.batch_size > len(train):
        raise UsageError(
            f"batch_size must be at most {len(train)}, the size of {settings.dataset}'s training "
            f"set under train_split '{settings.train_split}', got {settings.batch_size}"
        )
    training = TrainBatches(
        train,
        data,
        batch_size=settings.batch_size,
        device=device,
        seed=seed,
        crop_padding=settings.crop_padding,
        flip=settings.flip,
    )
    heldout_batches, test_batches = (
        EvalBatches(images, data, batch_size=EVAL_BATCH_SIZE, device=device)
        for images in (heldout, data.test)
    )
    return training, heldout_batches, test_batches


def build_learner(run: Run, data: ImageData, device: torch.device) -> Learner:
    """The network, initialised from the run's seed, and its optimizer."""
    settings = run.settings
    model = build_model(settings, data, run.seed, device)
    return Learner(
        model=model,
        forward=torch.compile(model) if settings.compile else model,
        optimizer=build_optimizer(run.optimizer, model, settings, dict(run.optimizer_args)),
        label_smoothing=settings.label_smoothing,
        precision=settings.precision,
        device=device,
    )


def build_scheduler(run: Run, optimizer: Optimizer, steps_per_epoch: int) -> Scheduler:
    """The run's schedule, ready to steer the optimizer."""
    return Scheduler(
        optimizer,
        registry.load("schedules", run.schedule).factor,
        epochs=run.settings.epochs,
        steps_per_epoch=steps_per_epoch,
        **run.schedule_args,
    )
