"""How many processor cores this process may use for arithmetic."""

from __future__ import annotations

import os
from pathlib import Path

SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def count_physical_cores() -> int:
    """Return the physical cores open to this process.

    Two hyper-threads count once, a container's limit holds.
    """
    logical = (
        os.sched_getaffinity(0)
        if hasattr(os, "sched_getaffinity")
        else set(range(os.cpu_count() or 1))
    )
    cores = {_read(Path(SIBLINGS.format(cpu))) or str(cpu) for cpu in logical}
    quota = _container_quota()
    return max(1, min(len(cores), quota) if quota else len(cores))


def _container_quota() -> int:
    """Return the whole cores that the container may use, 0 for no limit.

    Source: cgroup v2, cpu.max.
    """
    limit, _, period = _read(CGROUP_LIMIT).partition(" ")
    if not limit.isdigit() or not period.isdigit():
        return 0
    return max(1, round(int(limit) / int(period)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
