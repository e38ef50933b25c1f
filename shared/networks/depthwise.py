"""Depthwise convolution whose gradient is quick on a processor."""

# No "from __future__ import annotations" here: TorchScript reads the annotations of ``forward``.

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["DepthwiseConv2d"]

PART = 3  # side of the kernels whose gradient is quick


class DepthwiseConv2d(nn.Conv2d):
    """``Conv2d`` with a kernel per channel and no bias, with another way to its gradients.

    On processors PyTorch has a quick gradient of kernels of 3x3, but none of larger ones, and in bfloat16 none of the
    input where the stride is 2: these take up to a hundred times as long. Here a kernel of 5x5 gets its gradient in
    four overlapping parts of 3x3, and the input gets its own by a convolution as the forward pass has one. GPUs,
    compilers and exporters get PyTorch's own.

    Args:
        channels: number of channels of input and output.
        kernel_size: side of the kernels, 3 or 5.
        stride: 1 or 2.
        padding: pixels of zero on each side.

    Shape:
        Input ``(N, channels, H, W)``, output as ``Conv2d``'s.

    Example:
        >>> DepthwiseConv2d(2, 5, stride=2, padding=2)(torch.zeros(1, 2, 8, 8)).shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(self, channels: int, kernel_size: int, stride: int = 1, padding: int = 0) -> None:
        if kernel_size not in (PART, PART + 2):
            raise ValueError(f"kernel_size must be 3 or 5, got {kernel_size}")
        super().__init__(channels, channels, kernel_size, stride, padding, groups=channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.jit.is_scripting() and _needs_gradient(x):
            return _Quick.apply(x, self.weight.to(x.dtype), self.stride[0], self.padding[0])
        return self._conv_forward(x, self.weight, self.bias)


def _needs_gradient(x: torch.Tensor) -> bool:
    """Whether a processor will want a gradient, and nobody writes down by what operations."""
    noted = torch.jit.is_tracing() or torch.compiler.is_compiling()
    return x.device.type == "cpu" and x.requires_grad and torch.is_grad_enabled() and not noted


class _Quick(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, stride: int, padding: int) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _of_input(gradient, weight, x.shape[2:], ctx.stride, ctx.padding)
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(gradient, x, weight, ctx.stride, ctx.padding)
        return of_x, of_weight, None, None


def _of_input(
    gradient: torch.Tensor, weight: torch.Tensor, sides: Sequence[int], stride: int, padding: int
) -> torch.Tensor:
    """Gradient of the input: the gradient with zeros between its pixels, filtered by the kernels turned round."""
    reach = weight.shape[-1] - 1
    if stride > 1:
        shape = (*gradient.shape[:2], *(side - reach + 2 * padding for side in sides))
        apart = torch.empty(shape, dtype=gradient.dtype, memory_format=torch.channels_last).zero_()
        apart[..., ::stride, ::stride] = gradient
        gradient = apart
    return functional.conv2d(gradient, weight.flip(2, 3), None, 1, reach - padding, groups=len(weight))


def _of_weight(
    gradient: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: int, padding: int
) -> torch.Tensor:
    """Gradient of the weight, of a large kernel by overlapping parts."""
    starts = range(weight.shape[-1] - PART + 1)[:: PART - 1]
    if len(starts) > 1:
        x, padding = functional.pad(x, [padding] * 4), 0
    height, width = (PART + stride * (side - 1) - padding for side in gradient.shape[2:])  # or less, at the end
    result = torch.empty_like(weight)
    options = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], len(weight), [False, True, False])
    for row in starts:
        for column in starts:
            part = (..., slice(row, row + PART), slice(column, column + PART))
            seen, kernel = x[..., row : row + height, column : column + width], weight[part].contiguous()
            result[part] = torch.ops.aten.convolution_backward(gradient, seen, kernel, None, *options)[1]
    return result
