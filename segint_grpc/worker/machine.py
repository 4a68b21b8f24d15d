"""What this machine has to share out: processor cores and memory, a container's limits respected."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    """Return the memory (bytes) of the machine, or of the container where that is less."""
    limits = [_number(path) for path in _CGROUP_LIMITS]
    return min([int(psutil.virtual_memory().total), *(limit for limit in limits if limit)])


def free_bytes() -> int:
    """Return how much memory (bytes) one more process can take and leave a fifth of what is free."""
    return min(memory_bytes(), int(psutil.virtual_memory().available)) * 4 // 5


def slots(wanted: int) -> int:
    """Return `wanted`, or for 0 one slot for every two cores, at least one."""
    return wanted or max(1, cores() // 2)


def threads(slot_count: int) -> int:
    """Return how many threads each of `slot_count` slots may compute with, at least one."""
    return max(1, cores() // slot_count)


def _number(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
