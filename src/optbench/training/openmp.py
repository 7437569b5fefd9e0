"""Whether OpenMP gives torch the threads that a run is planned with."""

import ctypes
import os
from pathlib import Path

from optbench.core.cores import usable_cores
from optbench.core.errors import UsageError

MAPPED = Path("/proc/self/maps")
RUNTIMES = ("libgomp", "libiomp", "libomp")
VARIABLES = ("OMP_THREAD_LIMIT", "OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS", "OMP_NESTED")


def require_threads(threads: int, processes: int = 1) -> None:
    """Refuses what overrules a number of threads, of each of some processes.

    oneDNN waits for ever for the rest of a team that is smaller than it was promised; more threads
    than cores wait for one another at each barrier.

    Raises:
        UsageError: the environment gives smaller teams, or there are fewer cores.
    """
    cores = usable_cores()
    if threads * processes > cores:
        each = f", on {processes} devices each" if processes > 1 else ""
        raise UsageError(
            f"settings.threads: got {threads}{each}, and this process may use {cores} (by its "
            "affinity, or its container's quota): give it more, or plan with as many, which is "
            "another experiment"
        )
    team = largest_team()
    if team is not None and team < threads:
        names = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
        raise UsageError(
            f"settings.threads: got {threads}, and OpenMP may give {team}"
            f"{' by ' + ', '.join(names) if names else ''}: take that out of the environment"
        )


def largest_team() -> int | None:
    """What OpenMP is sure to give a region that asks for many threads; None: nobody knows."""
    runtime = loaded_runtime()
    if runtime is None:
        return None
    is_serial = runtime.omp_get_dynamic() or runtime.omp_get_max_active_levels() < 1
    return 1 if is_serial else int(runtime.omp_get_thread_limit())


def loaded_runtime() -> ctypes.CDLL | None:
    """The OpenMP library that torch has loaded, on Linux."""
    try:
        lines = MAPPED.read_text().splitlines()
    except OSError:
        return None
    paths = {line.split(maxsplit=5)[5] for line in lines if line.count("/")}
    libraries = sorted(path for path in paths if Path(path).name.startswith(RUNTIMES))
    ours = [path for path in libraries if "/torch" in path] or libraries
    return ctypes.CDLL(ours[0]) if ours else None
