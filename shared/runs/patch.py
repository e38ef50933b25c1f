"""Whether a network takes patches of a size, before any is cut."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.func import functional_call

from ..errors import UserError

__all__ = ["check_patch"]

LARGER = (2, 4, 8)  # times the sides, as a remedy


def check_patch(patch_size: Sequence[int], network: torch.nn.Module, channels: int) -> None:
    """Refuse patches that ``network`` does not take though it takes larger ones, or ones of another number of sides.

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
    if (fault := _fault(network, channels, sides)) is None:
        return
    for factor in LARGER:
        larger = [factor * side for side in sides]
        if _fault(network, channels, larger) is None:
            raise UserError(f"patch_size: {sides} will not do for a network of this depth; take {larger} ({fault})")


def _fault(network: torch.nn.Module, channels: int, sides: Sequence[int]) -> str | None:
    """What the network says of a patch, None if it takes it; the last batch of an epoch may be a single one."""
    state = {name: value.to("meta") for name, value in (*network.named_parameters(), *network.named_buffers())}
    try:
        with torch.no_grad():
            functional_call(network, state, (torch.empty(1, channels, *sides, device="meta"),))
    except (RuntimeError, ValueError) as error:
        return " ".join(str(error).split())[:150]
    return None
