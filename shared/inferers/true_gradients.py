"""Convolutions whose gradient a processor gets wrong in bfloat16 compute in float32."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["TrueGradients"]

CONVOLUTIONS = frozenset(
    {functional.conv1d, functional.conv2d, functional.conv3d}
    | {functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d}
)
MOST = 0.05  # what gradients may differ from those of float32, as a share of their norm; bfloat16 itself takes 0.003
SHORT = 8  # a convolution with such a side or shorter, before or after it, is tried; the wrong ones had a side of 2
DIRT = 1e30  # what memory is filled with that is handed out next: a kernel that forgets to write shows it

_right: dict[tuple[Any, ...], bool] = {}


class TrueGradients(TorchFunctionMode):
    """A context in which convolutions of small maps are tried once, with their gradients, before they take bfloat16.

    Where a processor has bfloat16 by AVX512 but not by AMX, the gradient of a 3 x 3 x 3 kernel is garbage, up to 1e35,
    if the first side of the input is 2, as at the bottom of a network for volumes. No rule about sides holds for other
    processors and versions, so a convolution of each kind and size is compared with float32 on random numbers, on the
    machine at hand. One that differs computes in float32 from then on, and nothing else does. Large maps, of which the
    trial would take as long as a step of training, were never seen to be wrong.

    It is for autocast on a CPU where gradients are wanted. The random state of PyTorch stays as it is.

    Example:
        >>> x, layer = torch.rand(1, 4, 2, 2, 2), torch.nn.Conv3d(4, 4, 3, padding=1)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16), TrueGradients():
        ...     layer(x).float().sum().backward()
        >>> bool(layer.weight.grad.abs().max() < 100)
        True
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in CONVOLUTIONS:
            return func(*args, **kwargs)
        output = func(*args, **kwargs)
        if min(*args[0].shape[2:], *output.shape[2:]) > SHORT or _is_right(func, args, kwargs):
            return output
        with torch.autocast("cpu", enabled=False):
            return func(*map(_exact, args), **{name: _exact(value) for name, value in kwargs.items()})


def _exact(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) else value


def _is_right(func: Callable[..., torch.Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether this convolution, of any numbers, computes as in float32, and so do its gradients."""
    named = [*enumerate(args), *kwargs.items()]
    key = (func, *((name, _kind(value)) for name, value in named))
    if key not in _right:
        found = _right[key] = _try(func, args, kwargs)
        if not found:
            sides = tuple(args[0].shape[2:])
            message = (
                "amp: a convolution of %s computes in float32: its gradient in bfloat16 is wrong on this processor"
            )
            logging.getLogger(__name__).info(message, sides)
    return _right[key]


def _kind(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.shape, value.stride(), value.requires_grad
    return tuple(value) if isinstance(value, list) else value


def _try(func: Callable[..., torch.Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    expected = _computed(func, args, kwargs, exact=True)
    found = _computed(func, args, kwargs, exact=False)
    # Written so that NaN is wrong.
    return all(bool((b - a).norm() <= MOST * a.norm()) for a, b in zip(expected, found, strict=True))


def _computed(func: Callable[..., torch.Tensor], args: tuple[Any, ...], kwargs: dict[str, Any], exact: bool) -> Any:
    """The output and the gradients of a convolution of random numbers."""
    random = torch.Generator().manual_seed(0)

    def like(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        drawn = torch.empty_strided(value.shape, value.stride(), dtype=torch.float32)
        return drawn.normal_(generator=random).requires_grad_(True)

    with torch.enable_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=not exact):
        given, named = [like(value) for value in args], {name: like(value) for name, value in kwargs.items()}
        output = func(*given, **named)
    tensors = [value for value in (*given, *named.values()) if isinstance(value, torch.Tensor)]
    gradient = torch.randn(output.shape, generator=random).to(output)
    dirt = [torch.full_like(tensor, DIRT) for tensor in (*tensors, output)]
    del dirt
    return [output.detach().float(), *(each.float() for each in torch.autograd.grad(output, tensors, gradient))]
