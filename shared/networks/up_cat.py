"""The decoder level of MONAI's BasicUNet, without the copies that it makes for nothing."""

# No "from __future__ import annotations" here: TorchScript reads the annotations of ``forward``.

import torch
from monai.networks.nets import basic_unet

__all__ = ["UpCat"]


class UpCat(basic_unet.UpCat):
    """MONAI's ``UpCat`` that pads the enlarged features only where they lack a row or a column.

    MONAI pads them always, by nothing where sides are even, which copies them out of the channels-last format; they,
    their gradients and what they are joined with then change format once more each. Arguments are MONAI's.

    Shape:
        ``x`` is (N, C, H, W), the encoder's ``x_e`` (N, D, 2H or 2H + 1, 2W or 2W + 1); the output has the latter's
        sides.

    Example:
        >>> block = UpCat(2, 8, 4, 6, "relu", "batch", True, upsample="nontrainable", pre_conv=None)
        >>> block(torch.zeros(1, 8, 3, 5), torch.zeros(1, 4, 7, 10)).shape
        torch.Size([1, 6, 7, 10])
    """

    def forward(self, x: torch.Tensor, x_e: torch.Tensor) -> torch.Tensor:
        enlarged = self.upsample(x)
        height, width = x_e.shape[2] - enlarged.shape[2], x_e.shape[3] - enlarged.shape[3]
        if height + width > 0:
            enlarged = torch.nn.functional.pad(enlarged, [0, width, 0, height], mode="replicate")
        return self.convs(torch.cat([x_e, enlarged], dim=1))
