"""The U-Net for brain tumours of NVIDIA's UNet_3D_Medical, from MONAI's blocks."""

# No "from __future__ import annotations" here: TorchScript reads the annotations of ``forward``.

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.nets import DynUNet
from torch import nn

from .definition import defined
from .instance_norm import InstanceNorm3d

__all__ = ["UNet3D"]

GROUPS = 16
NORMALIZATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "instance": ("instance", {"affine": True, "eps": 1e-6}),
    "batch": ("batch", {"eps": 1e-3, "momentum": 0.01}),
    "group": ("group", {"num_groups": GROUPS, "eps": 1e-6}),
}


@defined
class UNet3D(DynUNet):
    """3D U-Net that goes down by strided convolutions and ends in a 3x3x3 convolution.

    Each level has two 3x3x3 convolutions without bias, each with normalisation and leaky ReLU (slope 0.01) after it;
    but for the first level, the first of them halves the sides. A decoder level enlarges by a 2x2x2 transposed
    convolution and joins the result with the skip, in this order. Convolutions start with Glorot's uniform weights,
    biases with zero.

    MONAI's ``DynUNet`` has a head of 1x1x1, starts otherwise, and names each weight twice in its state, which would
    double (in half precision triple) the files of checkpoints. Its weights fit in all the same, but for the head. The
    reference pads a strided convolution at the far end only, this network at the near end: a weight of the reference
    that is taken over sees the picture shifted by a voxel per level.

    Args:
        in_channels: number of modalities.
        out_channels: number of output channels (logits).
        features: widths of the levels, three at least.
        normalization: ``"instance"``, ``"batch"``, or ``"group"`` with 16 groups, for which the widths must be
            multiples of 16.

    Raises:
        ValueError: there are fewer than three widths, they do not fit the groups, or ``normalization`` is unknown; in
            a call, a side is no multiple of 2 to the number of levels but one.

    Shape:
        Input ``(N, in_channels, W, H, D)``, output ``(N, out_channels, W, H, D)``. With six levels the sides are
        multiples of 32; with normalisation by instance, 32 for all three is too small.

    Reference:
        NVIDIA DeepLearningExamples, TensorFlow/Segmentation/UNet_3D_Medical; Isensee et al., nnU-Net: Self-adapting
        Framework for U-Net-Based Medical Image Segmentation, 2018.

    Example:
        >>> sum(p.numel() for p in UNet3D().parameters())
        31196196
        >>> UNet3D(features=(4, 6, 8))(torch.zeros(1, 4, 8, 4, 12)).shape
        torch.Size([1, 4, 8, 4, 12])
    """

    def __init__(
        self,
        in_channels: int = 4,
        out_channels: int = 4,
        features: Sequence[int] = (32, 64, 128, 256, 320, 320),
        normalization: str = "instance",
    ) -> None:
        levels = len(features)
        if levels < 3:
            raise ValueError(f"features needs three widths at least, got {tuple(features)}")
        if normalization not in NORMALIZATIONS:
            raise ValueError(f"normalization must be one of {sorted(NORMALIZATIONS)}, got {normalization!r}")
        if normalization == "group" and any(width % GROUPS for width in features):
            raise ValueError(f"features must be multiples of {GROUPS} for normalization 'group', got {tuple(features)}")
        super().__init__(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=[3] * levels,
            strides=[1] + [2] * (levels - 1),
            upsample_kernel_size=[2] * (levels - 1),
            filters=list(features),
            norm_name=NORMALIZATIONS[normalization],
            trans_bias=True,
        )
        del self.skip_layers  # the same blocks once more, nested
        for block in list(self.modules()):
            for name, module in block.named_children():
                if isinstance(module, nn.InstanceNorm3d):
                    setattr(block, name, InstanceNorm3d(module.num_features, module.eps, module.affine))
        self.output_block = nn.Conv3d(features[0], out_channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.jit.is_scripting():
            _check_sides(x, 2 ** len(self.upsamples))
        x = self.input_block(x)
        skips: list[torch.Tensor] = [x]
        for block in self.downsamples:
            x = block(x)
            skips.append(x)
        x = self.bottleneck(x)
        for block in self.upsamples:
            x = block(x, skips.pop())
        return self.output_block(x)


def _check_sides(x: torch.Tensor, multiple: int) -> None:
    """Say what torch would complain about as sizes that do not match."""
    if not torch.jit.is_tracing() and any(side % multiple for side in x.shape[2:]):
        raise ValueError(f"the sides of the input must be multiples of {multiple}, got {tuple(x.shape[2:])}")
