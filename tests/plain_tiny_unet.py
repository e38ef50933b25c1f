"""The reference's defect network written down from its description, without MONAI."""

import torch
from torch import nn
from torch.nn.functional import interpolate, leaky_relu, max_pool2d, pad, relu


class PlainTinyUNet(nn.Module):
    """Layers in a flat list, as they are run: 8 in the encoder, 3 in the neck, 9 and 3 in the decoder.

    Args:
        plan: channels before and after each layer.
        slope: of leaky ReLU, 0 is ReLU.
    """

    def __init__(self, plan: list[tuple[int, int]], slope: float = 0.0) -> None:
        super().__init__()
        sizes = [3] * 8 + [3, 3, 2] * 4 + [3, 3, 1]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, size, padding=1 if size == 3 else 0)
            for size, (before, after) in zip(sizes, plan, strict=True)
        )
        self.slope = slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layers = iter(self.layers)

        def act(y):
            return leaky_relu(y, self.slope) if self.slope else relu(y)

        def conv(y):
            return act(next(layers)(y))

        def up(y):
            return act(next(layers)(pad(interpolate(y, scale_factor=2, mode="nearest"), (0, 1, 0, 1))))

        s0 = conv(conv(x))
        s1 = conv(conv(max_pool2d(s0, 2)))
        s2 = conv(conv(max_pool2d(s1, 2)))
        s3 = conv(conv(max_pool2d(s2, 2)))
        x = up(conv(conv(max_pool2d(s3, 2))))
        x = up(conv(conv(torch.cat([x, s3], 1))))
        x = up(conv(conv(torch.cat([x, s2], 1))))
        x = up(conv(conv(torch.cat([x, s1], 1))))
        x = conv(conv(torch.cat([x, s0], 1)))
        return next(layers)(x)


def tiny(channels: int = 1, classes: int = 1) -> list[tuple[int, int]]:
    """The plan of tinyUNet."""
    encoder = [(channels, 32), (32, 32), (32, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128)]
    neck = [(128, 256), (256, 256), (256, 128)]
    decoder = [(256, 128), (128, 64), (64, 64), (128, 64), (64, 32), (32, 32), (64, 32), (32, 16), (16, 16)]
    return encoder + neck + decoder + [(48, 32), (32, 32), (32, classes)]


def original(channels: int = 1, classes: int = 1) -> list[tuple[int, int]]:
    """The plan of the larger network."""
    encoder = [(channels, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    neck = [(512, 1024), (1024, 1024), (1024, 512)]
    decoder = [(1024, 512), (512, 256), (256, 256), (512, 256), (256, 128), (128, 128)]
    last = [(256, 128), (128, 64), (64, 64), (128, 64), (64, 64), (64, classes)]
    return encoder + neck + decoder + last
