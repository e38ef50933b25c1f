"""What sides a network takes, found by trying it without memory and without work."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Geometry", "fault_of", "geometry_of"]

SIDE = 5760  # of the trial, 2^7 3^2 5, so that most divisions leave no rest; meta tensors are free
LONGER = (
    16  # times it in two dimensions, where a border of zeros then hardly changes even the least map's side; volumes
)
# would have more voxels than can be counted
CASES = 7919  # of the trial; the feature maps are told from the weights by it
MOST = 256  # a larger modulus is no division of the sides, but maps of a fixed or an odd size
FAULTS = (RuntimeError, ValueError, NotImplementedError)  # NotImplementedError: no shapes without numbers
LARGER = (1, 2, 4)  # times the modulus, as the least side


class Geometry(NamedTuple):
    """What a network asks of the sides of its input.

    Args:
        modulus: for each axis the number by which the network divides a side in all; a side that is a multiple of it
            is divided without a rest.
        least: for each axis the shortest multiple of ``modulus`` that the network takes.
    """

    modulus: tuple[int, ...]
    least: tuple[int, ...]


_known: WeakKeyDictionary[torch.nn.Module, dict[tuple[int, int], Geometry | None]] = WeakKeyDictionary()


def geometry_of(network: torch.nn.Module, channels: int, axes: int) -> Geometry | None:
    """Measure what ``network`` asks of the sides of its input.

    It is run once on PyTorch's meta device, which has shapes but no numbers. What a side is divided by is read from the
    feature maps: their sides are those of the input divided by 2, 4 and so on, be it by pooling, strides or blocks of
    pixels that become channels. Maps of a single pixel, as of a mean over all, say nothing.

    Args:
        network: as long as it lives, the answer is kept; it does not depend on the weights.
        channels: of its input.
        axes: number of spatial axes.

    Returns:
        None if the network cannot be tried in this way, for example because it asks for numbers.

    Example:
        >>> network = torch.nn.Sequential(torch.nn.MaxPool2d((3, 1)), torch.nn.MaxPool2d(2), torch.nn.Conv2d(1, 1, 3))
        >>> geometry_of(network, 1, 2)
        Geometry(modulus=(6, 2), least=(24, 8))
    """
    answers = _known.setdefault(network, {})
    if (channels, axes) not in answers:
        answers[channels, axes] = _measure(network, channels, axes)
    return answers[channels, axes]


def fault_of(network: torch.nn.Module, channels: int, sides: Sequence[int]) -> str | None:
    """What the network says of a batch of one with these sides, None if it takes it.

    Args:
        network: in the mode, of training or evaluation, in which it will see it; nothing in it changes.
        channels: of the input.
        sides: of the input.
    """
    try:
        _try(network, 1, channels, sides)
    except FAULTS as error:
        return " ".join(str(error).split())[:150]
    return None


def _measure(network: torch.nn.Module, channels: int, axes: int) -> Geometry | None:
    large = [SIDE * LONGER if axes < 3 else SIDE] * axes
    try:
        with _Sides(large) as seen:
            _try(network, CASES, channels, large)
    except FAULTS:
        return None
    modulus = tuple(math.lcm(*factors) for factors in seen.factors)
    if max(modulus, default=1) > MOST:
        return None
    for times in LARGER:
        least = tuple(times * factor for factor in modulus)
        if fault_of(network, channels, least) is None:
            return Geometry(modulus, least)
    return None


def _try(network: torch.nn.Module, cases: int, channels: int, sides: Sequence[int]) -> None:
    tensors = chain(network.parameters(), network.buffers())
    shapes = {id(tensor): _shape_of(tensor) for tensor in tensors}  # what a copy has in the place of the weights
    twin = copy.deepcopy(network, shapes)
    for module in twin.modules():
        module._forward_hooks.clear()  # whoever hung them on wants to see images
        module._forward_pre_hooks.clear()
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        twin(torch.empty(cases, channels, *sides, device="meta"))


def _shape_of(tensor: torch.Tensor) -> torch.Tensor:
    shape = tensor.detach().to("meta")
    return torch.nn.Parameter(shape, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else shape


class _Sides(TorchDispatchMode):
    """Notes by what each side of the feature maps is smaller than the input's."""

    def __init__(self, sides: Sequence[int]) -> None:
        super().__init__()
        self.sides = sides
        self.factors: list[set[int]] = [{1} for _ in sides]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in pytree.tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and self._is_map(tensor):
                for side, own, factors in zip(self.sides, tensor.shape[2:], self.factors, strict=True):
                    if own < side:
                        factors.add(round(side / own))
        return result

    def _is_map(self, tensor: torch.Tensor) -> bool:
        return tensor.ndim == 2 + len(self.sides) and tensor.shape[0] == CASES and max(tensor.shape[2:], default=0) > 1
