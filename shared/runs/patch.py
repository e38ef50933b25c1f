"""Whether a network takes patches of a size, before any is cut."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..errors import UserError
from ..machine import free_memory
from ..networks import fault_of

__all__ = ["check_patch"]

LARGER = (2, 4, 8)  # times the sides, as a remedy
FLOAT = 4  # bytes


def check_patch(patch_size: Sequence[int], network: torch.nn.Module, channels: int) -> None:
    """Refuse patches that ``network`` does not take though it takes larger ones, or ones of another number of sides, or
    larger than memory.

    It is tried on one patch on PyTorch's meta device, without memory and without work; nothing in it changes. One that
    fails on every size has another fault, which its run tells.

    Args:
        patch_size: sides of a patch.
        network: in the mode, of training or evaluation, in which it will see patches.
        channels: of a patch.

    Raises:
        UserError: naming sides that will do.

    Example:
        >>> check_patch([32, 32], torch.nn.Conv2d(3, 1, kernel_size=3), channels=3)
    """
    sides = list(patch_size)
    axes = next(parameter.ndim for parameter in network.parameters() if parameter.ndim > 2) - 2
    if len(sides) != axes:
        wanted = f"the network takes {axes}; take {axes} of them, such as {[sides[0]] * axes}"
        raise UserError(f"patch_size: {sides} has {len(sides)} sides, {wanted}")
    if (needed := FLOAT * channels * math.prod(sides)) > (free := free_memory()):
        numbers = f"one takes {needed / 1e9:,.1f} GB of memory, {free / 1e9:.1f} GB are free"
        raise UserError(f"patch_size: {sides} is too large, {numbers}; take smaller sides")
    if (fault := fault_of(network, channels, sides)) is None:
        return
    for factor in LARGER:
        larger = [factor * side for side in sides]
        if fault_of(network, channels, larger) is None:
            raise UserError(f"patch_size: {sides} will not do for a network of this depth; take {larger} ({fault})")
