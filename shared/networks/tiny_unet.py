"""The U-Net for surface defects of NVIDIA's UNet_Industrial, from MONAI's blocks."""

# No "from __future__ import annotations" here: TorchScript reads the annotations of ``forward``.

from collections.abc import Callable, Sequence
from functools import partial

import torch
from monai.networks.blocks import Convolution
from torch import nn

from .definition import defined

__all__ = ["TinyUNet"]

INITIALIZERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "he_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "he_normal": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "glorot_uniform": nn.init.xavier_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "orthogonal": nn.init.orthogonal_,
}
RELU = ("relu", {"inplace": True})


@defined
class TinyUNet(nn.Module):
    """2D U-Net without normalisation whose decoder halves its channels before it enlarges.

    Two 3x3 convolutions per level, 2x2 maximum pooling between levels. A decoder level joins the enlarged features
    with the skip (in this order), the second of its convolutions halves the channels, and its last step enlarges:
    nearest neighbour, then a 2x2 convolution. An activation follows each convolution but the 1x1 at the end.

    The reference's ``original`` network is ``features=(64, 128, 256, 512, 1024)``, of 29,137,793 parameters. MONAI
    and torch have neither its crelu, which doubles the channels, nor its PReLU with a weight per pixel, which fixes
    the size of the picture: both are left out. Its he_normal and glorot_normal draw from a truncated distribution;
    torch's have the same variance and are not truncated.

    Args:
        in_channels: number of channels of the picture.
        out_channels: number of output channels (logits).
        features: widths of the five levels, even; the first is also the width of the last level.
        act: activation in MONAI's notation, such as ``"selu"``, ``"elu"``, ``"prelu"`` (one weight per layer) or
            ``("leakyrelu", {"negative_slope": 0.2})``.
        init: how the weights start: ``"he_uniform"``, ``"he_normal"``, ``"glorot_uniform"``, ``"glorot_normal"`` or
            ``"orthogonal"``. Biases start at zero.

    Raises:
        ValueError: there are not five even widths, or ``init`` is unknown.

    Shape:
        Input ``(N, in_channels, H, W)`` of any size, output ``(N, out_channels, H, W)``. A size that 16 does not
        divide is padded at its end with the border's values, and the output is cut back.

    Reference:
        ``UNet_v1`` with ``model_variant="tinyUNet"`` of the program NVIDIA DeepLearningExamples,
        TensorFlow/Segmentation/UNet_Industrial; Ronneberger et al., U-Net, MICCAI 2015.

    Example:
        >>> network = TinyUNet()
        >>> sum(p.numel() for p in network.parameters())
        1850305
        >>> network(torch.zeros(1, 1, 37, 50)).shape
        torch.Size([1, 1, 37, 50])
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        features: Sequence[int] = (32, 32, 64, 128, 256),
        act: str | tuple = RELU,
        init: str = "he_uniform",
    ) -> None:
        super().__init__()
        if len(features) != 5 or any(width % 2 for width in features):
            raise ValueError(f"features needs five even widths, got {tuple(features)}")
        if init not in INITIALIZERS:
            raise ValueError(f"init must be one of {sorted(INITIALIZERS)}, got {init!r}")

        def conv(before: int, after: int) -> nn.Module:
            return Convolution(2, before, after, kernel_size=3, act=act, norm=None)

        def enlarge(before: int, after: int) -> nn.Module:
            # The 2x2 convolution sees one pixel beyond the lower and the right border: TensorFlow's "same".
            shift = nn.ZeroPad2d((0, 1, 0, 1))
            unpadded = Convolution(2, before, after, kernel_size=2, padding=0, act=act, norm=None)
            return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), shift, unpadded)

        first, bottom = features[0], features[-1]
        self.encoder = nn.ModuleList(
            nn.Sequential(conv(before, after), conv(after, after))
            for before, after in zip((in_channels, *features), features[:4], strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.neck = nn.Sequential(conv(features[3], bottom), conv(bottom, bottom), enlarge(bottom, bottom // 2))
        self.decoder = nn.ModuleList(
            nn.Sequential(conv(below // 2 + skip, skip), conv(skip, skip // 2), enlarge(skip // 2, skip // 2))
            for below, skip in zip(features[:1:-1], features[3:0:-1], strict=True)
        )
        self.head = nn.Sequential(
            conv(features[1] // 2 + first, first), conv(first, first), nn.Conv2d(first, out_channels, 1)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                INITIALIZERS[init](module.weight)
                nn.init.zeros_(module.get_parameter("bias"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[-2], x.shape[-1]
        x = nn.functional.pad(x, [0, (16 - width % 16) % 16, 0, (16 - height % 16) % 16], mode="replicate")
        skips: list[torch.Tensor] = []
        for level in self.encoder:
            x = level(x)
            skips.append(x)
            x = self.pool(x)
        x = self.neck(x)
        for level in self.decoder:
            x = level(torch.cat([x, skips.pop()], dim=1))
        x = self.head(torch.cat([x, skips.pop()], dim=1))
        return x[..., :height, :width]
