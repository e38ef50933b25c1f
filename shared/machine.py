"""What the machine can bear: the memory that is free, and how many processes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil

__all__ = ["free_memory", "most_workers"]

CGROUPS = "/sys/fs/cgroup/memory"  # limit and use of a container, and what of the use is files that need not be kept
CONTAINERS = (
    (f"{CGROUPS}.max", f"{CGROUPS}.current", "inactive_file"),
    (f"{CGROUPS}/memory.limit_in_bytes", f"{CGROUPS}/memory.usage_in_bytes", "total_inactive_file"),
)


def free_memory() -> int:
    """Bytes that the machine has left, or the container that this runs in, whichever is less."""
    free = [psutil.virtual_memory().available]
    for limit, used, name in CONTAINERS:
        try:
            left = int(Path(limit).read_text()) - int(Path(used).read_text())
            statistics = Path(used).with_name("memory.stat").read_text()
        except (OSError, ValueError):  # no container, or one without a limit ("max")
            continue
        reclaimable = re.search(rf"^{name} (\d+)$", statistics, re.MULTILINE)
        free.append(left + (int(reclaimable[1]) if reclaimable else 0))
    return min(free)


def most_workers() -> int:
    """Processes or threads beyond which more of them only take memory."""
    return max(32, 4 * (os.cpu_count() or 1))
