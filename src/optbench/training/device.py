"""Where and how the arithmetic runs, and the fingerprint under which its bits repeat."""

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from optbench.core.errors import UsageError
from optbench.core.run import Settings
from optbench.tasks.protocol import Task
from optbench.training.memory import keep_freed_memory
from optbench.training.openmp import require_threads
from optbench.training.processes import (
    LOCAL_RANK,
    LOCAL_WORLD_SIZE,
    devices_and_machines,
    of_torchrun,
)

# cuBLAS repeats its bits only with a fixed workspace; read when CUDA starts.
WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ.setdefault(*WORKSPACE)
# By these the libraries below torch choose instructions and algorithms, and so bits.
LIBRARIES = (
    "ATEN_", "CUBLAS", "CUDNN_", "DNNL_", "GOMP_", "KMP_", "MKL_", "NCCL_", "NVIDIA_TF32_",
    "OMP_", "ONEDNN_", "OPENBLAS_", "TORCH_ALLOW_TF32_", "TORCH_BLAS_",
)  # fmt: skip
# Of those, what changes none: threads are set by the run, where they wait, what is logged, and by
# which network cards messages go. The last but two are set by scikit-learn.
WITHOUT_EFFECT = re.compile(
    r".*(NUM_THREADS|VERBOSE|AFFINITY|PLACES|PROC_BIND|WAIT_POLICY|SPINCOUNT|BLOCKTIME|DISPLAY.*"
    r"|DUPLICATE_LIB_OK|INIT_AT_FORK)|NCCL_(DEBUG.*|SOCKET_IFNAME|IB_HCA)"
)
CPUINFO = Path("/proc/cpuinfo")


def select(name: str) -> torch.device:
    """The device of that name; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UsageError: the device is not present.
    """
    present = [
        *(["cuda"] if torch.cuda.is_available() else []),
        *(["mps"] if torch.backends.mps.is_available() else []),
        "cpu",
    ]
    if name == "auto":
        return torch.device(present[0])
    device = torch.device(name)
    absent = device.type not in present or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    )
    if absent:
        known = ", ".join(["auto", *present])
        raise UsageError(f"device '{name}' is not present here; present: {known}")
    return device


def set_up_process(settings: Settings) -> torch.device:
    """Fixes threads and algorithms so that the same run gives the same bits; returns the device.

    Memory that a step frees is kept for the next one. Of several devices on a machine, this process
    has that of its number there.

    Raises:
        UsageError: the device is absent, or the threads cannot be had.
    """
    keep_freed_memory()
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(mode=True)
    # Only a debugging aid; it would write every new tensor once more.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    # What is called fp32 multiplies in fp32, convolutions too.
    torch.backends.cudnn.allow_tf32 = False
    processes = of_torchrun(LOCAL_WORLD_SIZE, 1)  # on this machine
    device = select(settings.device)
    if device.type == "cpu":
        require_threads(settings.threads, processes)
    elif processes > 1:
        device = own_device(device.type, processes)
    return device


def own_device(kind: str, processes: int) -> torch.device:
    """This process' device of those here, a GPU each.

    Raises:
        UsageError: there are fewer.
    """
    present = torch.get_device_module(kind).device_count()
    if present < processes:
        raise UsageError(
            f"settings.devices: {processes} processes on this machine need as many GPUs, and "
            f"{kind} has {present} here: take more machines, or plan with fewer devices, which is "
            "another experiment"
        )
    device = torch.device(kind, of_torchrun(LOCAL_RANK, 0))
    torch.get_device_module(kind).set_device(device)
    return device


def fingerprint(settings: Settings, device: torch.device, task: Task) -> dict[str, str | int]:
    """All that the bits of a run depend on besides code and params.

    A task may have a `fingerprint` to add, for example of what decodes its images.
    """
    return {
        "torch": torch.__version__,
        "device": hardware(device),
        "cpu": cpu_vendor(),
        "cpu_capability": cpu_capability(),
        "libraries": library_settings(os.environ),
        "threads": settings.threads,
        "devices": devices_and_machines(settings.devices),
        **({"nccl": nccl_version()} if device.type == "cuda" and settings.devices > 1 else {}),
        "precision": settings.precision,
        "data_sha256": task.data_sha256,
        **getattr(task, "fingerprint", {}),
    }


def nccl_version() -> str:
    """Of the library that sums over GPUs, as it chooses in which order."""
    return ".".join(map(str, torch.cuda.nccl.version()))  # type: ignore[no-untyped-call]


def cpu_capability() -> str:
    """The vector instructions in use; matrix units change the bits of bf16 products."""
    flags = torch.cpu.get_capabilities()
    matrix = [name for name in ("avx512_bf16", "amx_bf16") if flags.get(name)]
    return "+".join([torch.backends.cpu.get_cpu_capability(), *matrix])


def cpu_vendor() -> str:
    """Whose processor it is: MKL takes other paths on those of others than Intel."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return platform.processor()
    vendors = [line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")]
    return vendors[0] if vendors else platform.processor()


def library_settings(environment: Mapping[str, str]) -> str:
    """The variables by which libraries below torch choose how to compute, in order."""
    chosen = {
        name: value
        for name, value in environment.items()
        if name.startswith(LIBRARIES)
        and not WITHOUT_EFFECT.fullmatch(name)
        and (name, value) != WORKSPACE
    }
    return " ".join(f"{name}={value}" for name, value in sorted(chosen.items()))


def hardware(device: torch.device) -> str:
    """The name of the hardware behind a device."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device.type}: {platform.machine()}"
