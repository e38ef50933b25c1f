"""A U-Net whose encoder has seen images before."""

# No "from __future__ import annotations" here: TorchScript reads the annotations of ``forward``.

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from monai.networks.blocks import Convolution
from torch import nn

from .definition import defined
from .depthwise import DepthwiseConv2d
from .unet import ACTIVATION
from .up_cat import UpCat

__all__ = ["EncoderUNet"]

WEIGHTS = Path(__file__).with_name("efficientnet_lite0.pt")
STEM = 32
# Of each level, from half of its image's sides to a thirty-second: number of blocks, side of their depthwise kernel,
# stride of the first, expansion, width.
LEVELS = (
    ((1, 3, 1, 1, 16),),
    ((2, 3, 2, 6, 24),),
    ((2, 5, 2, 6, 40),),
    ((3, 3, 2, 6, 80), (3, 5, 1, 6, 112)),
    ((4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)


@defined
class EncoderUNet(nn.Module):
    """U-Net on EfficientNet-lite0, whose weights from ImageNet come along.

    A few hundred images are too few to learn from nothing what an edge, a grain or a scratch is; the encoder knows it
    from a million photographs. It sees the image shrunk by ``downscale``, and halves it once more before the first
    level: there the decoder ends, meets the image's own pixels, blocks of them as channels, and has a logit for each
    pixel of a block, so that none is lost.

    Args:
        in_channels: number of channels of the image, each with a mean near 0 and a standard deviation near 1. Unless
            there are three, the kernels for red, green and blue are summed and spread evenly over the channels.
        out_channels: number of output channels (logits).
        features: widths of the five levels of the decoder, from half of the encoder's sides to a thirty-second.
        imagenet: whether the encoder starts from ImageNet. False is for a network that gets its weights anyway.
        prior: probability that an untrained network gives to foreground, between 0 and 1, about as frequent as it is.
        downscale: pixels of the image to one that the encoder sees, along each side, 1 or more.

    Raises:
        ValueError: there are not five widths, or ``prior`` or ``downscale`` is out of its range.

    Shape:
        Input ``(N, in_channels, H, W)`` with H and W multiples of ``32 downscale``, output
        ``(N, out_channels, H, W)``.

    Reference:
        Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019, as "lite0" of the
        program tensorflow/tpu (ReLU6 and no squeeze-and-excitation), up to its last block; Ronneberger et al., U-Net,
        MICCAI 2015; Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
        Convolutional Neural Network, 2016, for the last step; Lin et al., Focal Loss for Dense Object Detection, 2017,
        for the prior.

    Example:
        >>> network = EncoderUNet(in_channels=1)
        >>> network(torch.zeros(2, 1, 64, 128)).shape
        torch.Size([2, 1, 64, 128])
    """

    UNTRAINED = {"imagenet": False, "prior": 0.01}  # noqa: RUF012 - TorchScript takes no annotation here

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: Sequence[int] = (32, 48, 64, 128, 256),
        imagenet: bool = False,
        prior: float = 0.01,
        downscale: int = 2,
    ) -> None:
        super().__init__()
        if len(features) != len(LEVELS):
            raise ValueError(f"features needs five widths, got {tuple(features)}")
        if not 0 < prior < 1:
            raise ValueError(f"prior must lie between 0 and 1, got {prior}")
        if downscale < 1:
            raise ValueError(f"downscale must be 1 pixel at least, got {downscale}")
        block = 2 * downscale
        self.blocks = nn.PixelUnshuffle(block)
        self.shrink = nn.AvgPool2d(downscale)
        self.encoder = _encoder(in_channels)
        if imagenet and not next(self.encoder.parameters()).is_meta:  # there are shapes alone
            self.encoder.load_state_dict(_imagenet(in_channels))
        *skips, deepest = (level[-1][-1] for level in LEVELS)
        skips[0] += block**2 * in_channels
        self.neck = Convolution(2, deepest, features[-1], kernel_size=1, act=ACTIVATION, norm="batch", bias=False)
        self.decoder = nn.ModuleList(
            UpCat(features[level + 1], skips[level], features[level], ACTIVATION, "batch", True)
            for level in reversed(range(len(skips)))
        )
        self.final_conv = nn.Conv2d(features[0], block**2 * out_channels, 1)
        nn.init.constant_(self.final_conv.get_parameter("bias"), math.log(prior / (1 - prior)))
        self.pixels = nn.PixelShuffle(block)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = self.blocks(x)
        x = self.shrink(x)
        skips: list[torch.Tensor] = []
        for level in self.encoder:
            x = level(x)
            skips.append(x)
        # In the type and order of the encoder's maps, or joining them would copy both into another.
        pixels = pixels.to(x.dtype).contiguous(memory_format=torch.channels_last)
        skips[0] = torch.cat([skips[0], pixels], dim=1)
        x = self.neck(x)
        for number, level in enumerate(self.decoder):
            x = level(x, skips[3 - number])
        return self.pixels(self.final_conv(x))


class _InvertedBottleneck(nn.Module):
    """Widen, filter each channel on its own, narrow; what came in is added where the shape allows it."""

    def __init__(self, before: int, after: int, side: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = before * expansion
        layers = _convolution(before, width) if expansion > 1 else []
        layers += _convolution(width, width, side, stride)
        layers += _convolution(width, after)[:-1]  # no activation
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and before == after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


def _convolution(before: int, after: int, side: int = 1, stride: int = 1) -> list[nn.Module]:
    """Convolution, batch norm and ReLU6; of each channel alone where a kernel of several pixels keeps their number."""
    layers: list[nn.Module] = []
    padding = side // 2
    if stride == 2:  # of even sides: TensorFlow's "same" pads less at the beginning than at the end
        layers, padding = [nn.ZeroPad2d((padding - 1, padding, padding - 1, padding))], 0
    if side > 1 and before == after:
        layers.append(DepthwiseConv2d(before, side, stride, padding))
    else:
        layers.append(nn.Conv2d(before, after, side, stride, padding, bias=False))
    return [*layers, nn.BatchNorm2d(after, eps=1e-3), nn.ReLU6(inplace=True)]


def _encoder(in_channels: int) -> nn.ModuleList:
    levels = nn.ModuleList()
    before = STEM
    for level in LEVELS:
        layers = [] if len(levels) else _convolution(in_channels, STEM, 3, stride=2)
        for count, side, stride, expansion, width in level:
            for number in range(count):
                layers.append(_InvertedBottleneck(before, width, side, 1 if number else stride, expansion))
                before = width
        levels.append(nn.Sequential(*layers))
    return levels


def _imagenet(in_channels: int) -> dict[str, torch.Tensor]:
    """Weights of the encoder for a number of channels."""
    state = torch.load(WEIGHTS, weights_only=True)
    if in_channels != 3:
        stem = next(iter(state))
        state[stem] = (state[stem].float().sum(dim=1, keepdim=True) / in_channels).repeat(1, in_channels, 1, 1)
    return state
