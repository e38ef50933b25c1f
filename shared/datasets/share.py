"""Which cases a process of several works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.distributed

__all__ = ["own_share"]


def own_share(items: Sequence[Any]) -> Sequence[Any]:
    """Every n-th item of n processes, so that each is evaluated once; all of them for a process that is alone.

    Where there are fewer items than processes, each process takes all of them: none may stay without, since figures are
    brought together from all processes, and with every item counted equally often their means are what they are.

    Args:
        items: cases, or a range of their places.

    Example:
        >>> own_share(range(5))
        range(0, 5)
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return items
    rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
    return items[rank::processes] if len(items) >= processes else items
