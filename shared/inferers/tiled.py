"""Pictures of any size: whole where they fit, in overlapping tiles where they do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer, SlidingWindowInferer

__all__ = ["TiledInferer"]


class TiledInferer(Inferer):
    """Sliding window whose window grows with the picture up to ``max_tile``.

    MONAI's ``SlidingWindowInferer`` has one window size: large, and small pictures are mostly padding; small, and large
    pictures are mostly overlap. Here the window is the picture itself, rounded up to what the network's poolings
    divide, and only pictures beyond ``max_tile`` are cut. Padding repeats the border.

    Args:
        max_tile: longest side of a window in pixels or voxels, a multiple of ``divisor``.
        divisor: what every side of a window must be a multiple of (two to the number of poolings).
        overlap: share of a window that it has in common with the next, in [0, 1).
        batch_size: windows per call of the network.

    Raises:
        ValueError: an argument is out of its range.

    Shape:
        Input ``(N, C, *spatial)``, output with the same spatial size.
    """

    def __init__(self, max_tile: int = 1024, divisor: int = 16, overlap: float = 0.125, batch_size: int = 1) -> None:
        super().__init__()
        if divisor < 1 or max_tile < divisor or max_tile % divisor:
            raise ValueError(f"max_tile must be a multiple of divisor, got {max_tile} and {divisor}")
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap must lie in [0, 1), got {overlap}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 at least, got {batch_size}")
        self.max_tile, self.divisor, self.overlap, self.batch_size = max_tile, divisor, overlap, batch_size

    def window(self, spatial_size: torch.Size | tuple[int, ...]) -> tuple[int, ...]:
        """Side lengths of the window for a picture of ``spatial_size``.

        >>> TiledInferer(max_tile=64).window((1, 33, 1000))
        (16, 48, 64)
        """
        return tuple(min(self.max_tile, -(-side // self.divisor) * self.divisor) for side in spatial_size)

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        windows = SlidingWindowInferer(
            self.window(inputs.shape[2:]), self.batch_size, self.overlap, mode="gaussian", padding_mode="replicate"
        )
        return windows(inputs, network, *args, **kwargs)
