"""The reference's tumour network written down from its description, without MONAI."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.functional import leaky_relu

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": lambda width: nn.InstanceNorm3d(width, eps=1e-6, affine=True),
    "batch": lambda width: nn.BatchNorm3d(width, eps=1e-3, momentum=0.01),
    "group": lambda width: nn.GroupNorm(16, width, eps=1e-6),
}


class PlainUNet3D(nn.Module):
    """Layers in flat lists, as they are run: two convolutions per encoder level, then two per decoder level."""

    def __init__(self, channels: int, classes: int, widths: Sequence[int], norm: str = "instance") -> None:
        super().__init__()
        plan, deeper = [], len(widths) - 1
        for before, after in zip((channels, *widths), widths, strict=False):
            plan += [(before, after), (after, after)]
        for width in widths[-2::-1]:
            plan += [(2 * width, width), (width, width)]
        strides = [1, 1] + [2, 1] * deeper + [1, 1] * deeper
        self.convs = nn.ModuleList(
            nn.Conv3d(before, after, 3, stride, padding=1, bias=False)
            for (before, after), stride in zip(plan, strides, strict=True)
        )
        self.norms = nn.ModuleList(NORMS[norm](after) for _, after in plan)
        self.ups = nn.ModuleList(
            nn.ConvTranspose3d(b, a, 2, 2) for b, a in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv3d(widths[0], classes, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layers = iter(zip(self.convs, self.norms, strict=True))

        def twice(y):
            for _ in range(2):
                conv, norm = next(layers)
                y = leaky_relu(norm(conv(y)), 0.01)
            return y

        skips = []
        for _ in range(len(self.ups)):
            x = twice(x)
            skips.append(x)
        x = twice(x)
        for up in self.ups:
            x = twice(torch.cat([up(x), skips.pop()], 1))
        return self.head(x)
