"""How the processes of a run that trains on several devices find each other, by torch.distributed.

Each was started by torchrun, or by `supervision.launch`, which does the same on one machine. Their
gradients are averaged by DistributedDataParallel while the backward pass goes on.
"""

import os

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from optbench.core.errors import UsageError
from optbench.core.run import Settings
from optbench.core.world import ALONE, Share, World

# torchrun's variables: how many processes there are; a process' number on its machine, of how many.
WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE = "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"


def join(settings: Settings) -> World:
    """The world of a run, once all its processes are there.

    Raises:
        UsageError: there are more or fewer processes than the run has devices.
    """
    started = of_torchrun(WORLD_SIZE, 1)
    if started != settings.devices:
        raise UsageError(
            f"settings.devices: got {settings.devices}, and {started} "
            f"{'process was' if started == 1 else 'processes were'} started: start as many, with "
            f"torchrun's --nproc-per-node times --nnodes, or plan with {started}, which is another "
            "experiment"
        )
    if settings.devices == 1:
        return ALONE
    if not distributed.is_initialized():
        is_on_gpus = torch.cuda.is_available() and settings.device != "cpu"
        # By gloo goes what the CPU reads, so that it never waits for a GPU.
        distributed.init_process_group("cpu:gloo,cuda:nccl" if is_on_gpus else "gloo")
    share = Share(distributed.get_rank(), distributed.get_world_size())
    return World(share, is_connected=True)


def leave() -> None:
    """Takes leave of the other processes, if there are any, once all is done."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def of_torchrun(variable: str, alone: int) -> int:
    """What torchrun says in a variable, or what holds for a process that it did not start."""
    return int(os.environ.get(variable, alone))


def devices_and_machines(devices: int) -> str:
    """How many devices there are, and on how many machines: by both, sums are ordered."""
    machines = devices // of_torchrun(LOCAL_WORLD_SIZE, devices)
    return f"{devices}" if machines == 1 else f"{devices} on {machines} machines"


def averaging(model: nn.Module, world: World) -> nn.Module:
    """A network whose gradients are means over all devices, after each backward pass."""
    if not world.is_connected:
        return model
    return DistributedDataParallel(
        model,
        # Statistics of BatchNorm are a device's; those of the first are scored and kept.
        forward_sync_buffers=False,
        # So that buckets of gradients stay as they are. By default they are made anew after the
        # first step of a process, and with them the order in which gradients are added: a run that
        # goes on from a checkpoint would have other bits.
        find_unused_parameters=True,
    )


def require_alike(world: World, digest: int) -> None:
    """Each process computes under the same fingerprint.

    Args:
        world: the run's.
        digest: of the fingerprint, below 2**63.

    Raises:
        UsageError: one computes otherwise.
    """
    if differing := world.differing([digest]):
        raise UsageError(
            f"device {differing[0]} of {world.share.count} has another fingerprint than device 0: "
            "torch, the kind of device and CPU, libraries' variables and data must be the same on "
            "all machines"
        )
