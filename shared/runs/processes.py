"""What the processes of one run tell each other."""

from __future__ import annotations

import os
from typing import Any

import torch.distributed

__all__ = ["count_processes", "fails_first", "from_first", "is_first", "is_group"]


def is_group() -> bool:
    """Whether this process belongs to a group that works on one run."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def count_processes() -> int:
    """Number of processes that work on this run."""
    return torch.distributed.get_world_size() if is_group() else 1


def is_first() -> bool:
    """Whether this is the process that writes and speaks for all."""
    return not is_group() or torch.distributed.get_rank() == 0


def from_first(value: Any) -> Any:
    """What the first process gives, in all; each must call it.

    Args:
        value: of this process.
    """
    if is_group():
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]
    return value


def fails_first() -> bool:
    """Whether a failing process is the first to do so; the others follow it, or made the same mistake."""
    if not is_group():
        return os.environ.get("RANK", "0") == "0"
    try:
        return bool(torch.distributed.distributed_c10d._get_default_store().add("failures", 1) == 1)
    except RuntimeError:  # whoever kept the count is gone already
        return False
