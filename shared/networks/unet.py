"""The U-Net of the pytorch-nested-unet program, from MONAI's blocks."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import BasicUNet

from .definition import defined
from .up_cat import UpCat

__all__ = ["UNet"]

ACTIVATION = ("relu", {"inplace": True})


@defined
class UNet(BasicUNet):
    """2D U-Net with two 3x3 convolutions, batch norm and ReLU per level and plain bilinear upsampling.

    MONAI's ``BasicUNet`` puts a 1x1 convolution in front of its bilinear upsampling, which this network does not have;
    its decoder levels are therefore exchanged. The first width is also the width of the last level.

    Args:
        in_channels: number of channels of the picture.
        out_channels: number of output channels (logits).
        features: widths of the five levels.

    Shape:
        Input ``(N, in_channels, H, W)`` with H and W at least 16, output ``(N, out_channels, H, W)``.

    Reference:
        Zhou et al., UNet++: A Nested U-Net Architecture for Medical Image Segmentation, 2018; ``UNet`` of the program
        4uiiurz1/pytorch-nested-unet.

    Example:
        >>> import torch
        >>> network = UNet(in_channels=3, out_channels=1)
        >>> sum(p.numel() for p in network.parameters())
        7852545
        >>> network(torch.zeros(1, 3, 32, 48)).shape
        torch.Size([1, 1, 32, 48])
    """

    def __init__(
        self, in_channels: int = 3, out_channels: int = 1, features: Sequence[int] = (32, 64, 128, 256, 512)
    ) -> None:
        if len(features) != 5:
            raise ValueError(f"features needs five widths, got {tuple(features)}")
        super().__init__(
            spatial_dims=2,
            in_channels=in_channels,
            out_channels=out_channels,
            features=(*features, features[0]),
            act=ACTIVATION,
            norm="batch",
            upsample="nontrainable",
        )
        for level in range(4):
            width, below = features[level], features[level + 1]
            setattr(self, f"upcat_{level + 1}", UpCat(below, width, width, ACTIVATION, "batch", True))
