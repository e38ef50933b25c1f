"""The decoder level of MONAI's BasicUNet, without the copies that it makes for nothing."""

# No "from __future__ import annotations" here: TorchScript reads the annotations of ``forward``.

import torch
from monai.networks.nets.basic_unet import TwoConv
from torch import nn

from .bilinear import BilinearDouble

__all__ = ["UpCat"]


class UpCat(nn.Module):
    """MONAI's ``UpCat`` of two dimensions with plain bilinear upsampling, which pads only where sides differ.

    MONAI pads the enlarged features always, by nothing where sides are even, which copies them out of the
    channels-last format; they, their gradients and what they are joined with then change format once more each.

    Args:
        in_chns: number of channels that are enlarged.
        cat_chns: number of channels from the encoder.
        out_chns: number of output channels.
        act: activation, as MONAI names it.
        norm: normalisation, as MONAI names it.
        bias: whether the convolutions have one.

    Shape:
        ``x`` is (N, in_chns, H, W), the encoder's ``x_e`` (N, cat_chns, 2H or 2H + 1, 2W or 2W + 1); the output has the
        latter's sides.

    Example:
        >>> block = UpCat(8, 4, 6, "relu", "batch", True)
        >>> block(torch.zeros(1, 8, 3, 5), torch.zeros(1, 4, 7, 10)).shape
        torch.Size([1, 6, 7, 10])
    """

    def __init__(
        self, in_chns: int, cat_chns: int, out_chns: int, act: str | tuple, norm: str | tuple, bias: bool
    ) -> None:
        super().__init__()
        self.upsample = BilinearDouble()
        self.convs = TwoConv(2, cat_chns + in_chns, out_chns, act, norm, bias)

    def forward(self, x: torch.Tensor, x_e: torch.Tensor) -> torch.Tensor:
        enlarged = self.upsample(x)
        height, width = x_e.shape[2] - enlarged.shape[2], x_e.shape[3] - enlarged.shape[3]
        if height + width > 0:
            enlarged = nn.functional.pad(enlarged, [0, width, 0, height], mode="replicate")
        return self.convs(torch.cat([x_e, enlarged], dim=1))
