"""The U-Net at a lower resolution than its picture, without losing a pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from .definition import defined
from .unet import UNet

__all__ = ["SubpixelUNet"]


@defined
class SubpixelUNet(nn.Sequential):
    """``UNet`` on blocks of pixels that become channels, and whose result becomes pixels again.

    The network sees ``downscale`` times as far for less work, and no pixel is lost, as by averaging. It is for what is
    large beside the pixels, such as defects on textures.

    Args:
        in_channels: number of channels of the picture.
        out_channels: number of output channels (logits).
        features: widths of the five levels.
        downscale: side of a block in pixels, 1 or more.
        prior: probability that an untrained network gives to foreground, between 0 and 1; by default about 0.5. Where
            foreground is rare, a first guess of 0.01 leaves the last layer to learn what speaks for it; else it learns
            first what speaks for the rest, and may be left with nothing to tell foreground by but that.

    Shape:
        Input ``(N, in_channels, H, W)`` with H and W multiples of ``downscale`` and at least ``16 downscale``, output
        ``(N, out_channels, H, W)``.

    Reference:
        Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
        Network, 2016, for the way back; Lin et al., Focal Loss for Dense Object Detection, 2017, for the prior.

    Example:
        >>> import torch
        >>> network = SubpixelUNet(in_channels=1, features=(16, 32, 64, 128, 256))
        >>> network(torch.zeros(1, 1, 32, 64)).shape
        torch.Size([1, 1, 32, 64])
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: Sequence[int] = (32, 64, 128, 256, 512),
        downscale: int = 2,
        prior: float | None = None,
    ) -> None:
        if downscale < 1:
            raise ValueError(f"downscale must be 1 pixel at least, got {downscale}")
        if prior is not None and not 0 < prior < 1:
            raise ValueError(f"prior must lie between 0 and 1, got {prior}")
        block = downscale * downscale
        network = UNet(in_channels * block, out_channels * block, features)
        if prior is not None:
            nn.init.constant_(network.final_conv.bias, math.log(prior / (1 - prior)))
        super().__init__(nn.PixelUnshuffle(downscale), network, nn.PixelShuffle(downscale))
