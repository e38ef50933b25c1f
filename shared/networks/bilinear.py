"""Bilinear enlargement by two whose gradient is quick on a processor."""

# No "from __future__ import annotations" here: TorchScript reads the annotations of ``forward``.

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["BilinearDouble"]


class BilinearDouble(nn.Module):
    """``interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)``, with another way to its gradient.

    PyTorch adds each pixel of the gradient to four others, one by one. The same sums are two products of matrices, one
    along each axis, which take a third to a tenth of the time, in float32 and in bfloat16 alike. GPUs, compilers and
    exporters get PyTorch's own.

    Shape:
        Input ``(N, C, H, W)``, output ``(N, C, 2H, 2W)``.

    Example:
        >>> BilinearDouble()(torch.tensor([[[[0.0, 3.0]]]]))[0, 0, 0]
        tensor([0., 1., 2., 3.])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.jit.is_scripting() and _needs_gradient(x):
            return _Double.apply(x)
        return _double(x)


def _double(x: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)


def _needs_gradient(x: torch.Tensor) -> bool:
    """Whether a processor will want a gradient, and nobody writes down by what operations."""
    noted = torch.jit.is_tracing() or torch.compiler.is_compiling()
    return x.device.type == "cpu" and x.requires_grad and torch.is_grad_enabled() and not noted


class _Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.shape = x.shape
        with torch.autocast("cpu", enabled=False):  # which would copy to float32, and all that this is joined with
            return _double(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        cases, channels, height, width = ctx.shape
        # In the order of channels last, in which both axes can be multiplied without a copy.
        rows = gradient.permute(0, 2, 3, 1).reshape(cases, 2 * height, 2 * width * channels)
        rows = torch.bmm(_weights(height, rows).expand(cases, -1, -1), rows)
        rows = rows.view(cases * height, 2 * width, channels)
        both = torch.bmm(_weights(width, rows).expand(len(rows), -1, -1), rows)
        return both.view(cases, height, width, channels).permute(0, 3, 1, 2)


def _weights(side: int, like: torch.Tensor) -> torch.Tensor:
    """What each of ``side`` points gives to each of the doubled ones, ``(side, 2 side)``."""
    points = torch.eye(side)[None]
    return functional.interpolate(points, scale_factor=2.0, mode="linear", align_corners=True)[0].to(like.dtype)
