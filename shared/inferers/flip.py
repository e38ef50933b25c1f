"""The mean over mirror images: test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import torch
from monai.inferers import Inferer

from .ensemble import mean_logits
from .network_call import NetworkCall

__all__ = ["FlipInferer"]


class FlipInferer(Inferer):
    """Wraps an inferer so that each window is seen flipped along every combination of its spatial axes.

    The probabilities, flipped back, are averaged window by window: 4 calls of the network in 2D and 8 in 3D, but no
    more memory than the windows of one call take.

    Args:
        inferer: any MONAI inferer; it decides how the picture is cut and blended.
        softmax: the channels are classes of which one is true; else each channel is a question of its own.

    Shape:
        As the wrapped inferer; the network gives one tensor of logits, and so does this: logits of the mean.
    """

    def __init__(self, inferer: Inferer, softmax: bool = False) -> None:
        super().__init__()
        self.inferer, self.softmax = inferer, softmax

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        axes = range(2, inputs.ndim)
        flips = [flip for number in range(len(axes) + 1) for flip in combinations(axes, number)]

        def over_flips(x: torch.Tensor, *more: Any, **options: Any) -> torch.Tensor:
            return mean_logits((network(x.flip(flip), *more, **options).flip(flip) for flip in flips), self.softmax)

        return self.inferer(inputs, NetworkCall(over_flips, network), *args, **kwargs)
