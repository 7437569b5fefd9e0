"""The processor cores that this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """As many as the scheduler and a container's quota leave, at least 1."""
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return max(1, int(min([cores, *quotas()])))


def quotas(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> Iterator[float]:
    """Processor time over wall time that each control group around this process allows.

    Of version 2, in `cpu.max`, and of version 1, in `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = groups / controllers if controllers else groups
        inside = PurePosixPath(name.lstrip("/"))
        for group in (inside, *inside.parents):
            quota = _quota(top / group)
            if quota is not None:
                yield quota


def _quota(group: Path) -> float | None:
    """What a group allows; None where it has no limit."""
    try:
        if (group / "cpu.max").exists():
            allowed, period = (group / "cpu.max").read_text().split()
        else:
            allowed = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        return float(allowed) / float(period) if float(allowed) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # ValueError: "max"
        return None
