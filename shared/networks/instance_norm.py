"""Instance normalisation of volumes that are stored channels last."""

# No "from __future__ import annotations" here: TorchScript reads the annotations of ``forward``.

import torch
from torch import nn
from torch.nn import functional

__all__ = ["InstanceNorm3d"]


class InstanceNorm3d(nn.InstanceNorm3d):
    """``torch.nn.InstanceNorm3d`` that leaves volumes in the memory format in which it gets them.

    PyTorch copies what is stored channels last into its standard format and back, forward and backward, which takes a
    third of a training step on a processor. The statistics of an instance are those of a batch of one, so each goes
    through PyTorch's batch normalisation, which works on either format. GPUs, compilers and exporters get the original.

    Args:
        num_features: number of channels.
        eps: added to the variance.
        affine: whether to scale and shift each channel by learned numbers.

    Shape:
        Input and output ``(N, num_features, W, H, D)`` with more than one voxel.

    Example:
        >>> x = torch.rand(2, 3, 4, 5, 6).to(memory_format=torch.channels_last_3d)
        >>> mine, original = InstanceNorm3d(3), nn.InstanceNorm3d(3)
        >>> torch.allclose(mine(x), original(x), atol=1e-6)
        True
        >>> mine(x).is_contiguous(memory_format=torch.channels_last_3d)
        True
    """

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__(num_features, eps=eps, affine=affine)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.jit.is_scripting() and _is_plain(x):
            parts = [
                functional.batch_norm(one, None, None, self.weight, self.bias, True, 0.0, self.eps)
                for one in x.split(1)
            ]
            return parts[0] if len(parts) == 1 else torch.cat(parts)
        return functional.instance_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)


def _is_plain(x: torch.Tensor) -> bool:
    """Whether a processor computes ``x`` now, and nobody writes down by what operations."""
    return x.device.type == "cpu" and not torch.jit.is_tracing() and not torch.compiler.is_compiling()
