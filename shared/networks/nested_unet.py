"""UNet++ of the pytorch-nested-unet program, from MONAI's blocks."""

from collections.abc import Sequence
from typing import Final

import torch
from monai.networks.nets.basic_unet import Down, TwoConv
from torch import nn

from .definition import defined
from .unet import ACTIVATION
from .up_cat import UpCat

__all__ = ["NestedUNet"]


@defined
class NestedUNet(nn.Module):
    """2D U-Net whose skip connections are decoders themselves.

    Node (i, j) joins all earlier nodes of its row i with the upsampled node (i + 1, j - 1).

    MONAI's ``BasicUNetPlusPlus`` always owns four heads, of which three have no gradient without deep supervision, so
    that several processes would wait for them in vain. Here each head that exists is used.

    Args:
        in_channels: number of channels of the picture.
        out_channels: number of output channels (logits).
        features: widths of the five rows.
        deep_supervision: whether each of the four nodes of the top row has a head. In training the outputs are then a
            list, the last is the main one; in evaluation and in TorchScript only that is returned.

    Shape:
        Input ``(N, in_channels, H, W)`` with H and W at least 16; outputs ``(N, out_channels, H, W)``.

    Reference:
        Zhou et al., UNet++: A Nested U-Net Architecture for Medical Image Segmentation, 2018; ``NestedUNet`` of the
        program 4uiiurz1/pytorch-nested-unet.

    Example:
        >>> [sum(p.numel() for p in NestedUNet(deep_supervision=d).parameters()) for d in (False, True)]
        [9163329, 9163428]
        >>> len(NestedUNet(features=(4, 4, 4, 4, 4), deep_supervision=True)(torch.zeros(1, 3, 32, 32)))
        4
    """

    deep_supervision: Final[bool]

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: Sequence[int] = (32, 64, 128, 256, 512),
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        if len(features) != 5:
            raise ValueError(f"features needs five widths, got {tuple(features)}")
        self.deep_supervision = deep_supervision
        style = (ACTIVATION, "batch", True)
        self.encoder = nn.ModuleList([TwoConv(2, in_channels, features[0], *style)])
        self.encoder.extend(Down(2, features[i], features[i + 1], *style) for i in range(4))
        self.columns = nn.ModuleList(
            nn.ModuleList(UpCat(features[i + 1], j * features[i], features[i], *style) for i in range(5 - j))
            for j in range(1, 5)
        )
        self.heads = nn.ModuleList(nn.Conv2d(features[0], out_channels, 1) for _ in range(4 if deep_supervision else 1))

    # No return type: it is a list or a tensor, and a union would keep the network from being scripted.
    def forward(self, x: torch.Tensor):
        rows: list[list[torch.Tensor]] = []
        for block in self.encoder:
            x = block(x)
            rows.append([x])
        for column in self.columns:
            for i, node in enumerate(column):
                rows[i].append(node(rows[i + 1][-1], torch.cat(rows[i], dim=1)))
        if self.deep_supervision and self.training and not torch.jit.is_scripting():
            return [head(node) for head, node in zip(self.heads, rows[0][1:], strict=True)]
        return self.heads[-1](rows[0][-1])
