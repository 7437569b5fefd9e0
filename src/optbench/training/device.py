"""Where and how the arithmetic runs, and the fingerprint under which its bits repeat."""

import os
import platform

import torch

from optbench.core.errors import UsageError
from optbench.core.run import Settings
from optbench.training.memory import keep_freed_memory

# cuBLAS repeats its bits only with a fixed workspace; read when CUDA starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


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

    Memory that a step frees is kept for the next one.
    """
    keep_freed_memory()
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(mode=True)
    # Only a debugging aid; it would write every new tensor once more.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    return select(settings.device)


def fingerprint(settings: Settings, device: torch.device, data_digest: str) -> dict[str, str | int]:
    """All that the bits of a run depend on besides code and params."""
    return {
        "torch": torch.__version__,
        "device": hardware(device),
        "cpu_capability": cpu_capability(),
        "threads": settings.threads,
        "precision": settings.precision,
        "data_sha256": data_digest,
    }


def cpu_capability() -> str:
    """The vector instructions in use; matrix units change the bits of bf16 products."""
    flags = torch.cpu.get_capabilities()
    matrix = [name for name in ("avx512_bf16", "amx_bf16") if flags.get(name)]
    return "+".join([torch.backends.cpu.get_cpu_capability(), *matrix])


def hardware(device: torch.device) -> str:
    """The name of the hardware behind a device."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device.type}: {platform.machine()}"
