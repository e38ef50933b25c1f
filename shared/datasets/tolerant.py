"""A dataset that goes on past a file which cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import Dataset

from ..errors import UserError, is_out_of_memory, user_error_behind

__all__ = ["TolerantDataset"]


class TolerantDataset(Dataset):
    """MONAI's ``Dataset`` whose unreadable items travel on with an ``error`` instead of ending the run.

    Such an item has an empty image of one pixel or voxel under ``image_key`` and under every name in ``copies``; each
    other item has ``error`` empty. Only mistakes of the data (``UserError``), and what takes more memory than
    there is, are passed on this way.

    Args:
        data: cases, each with its ``file``.
        transform: what reads and prepares them.
        image_key: key of the image.
        copies: keys under which the transform leaves further tensors.
        channels: number of channels of the stand-in.
        spatial_dims: its number of axes besides, 2 for pictures and 3 for volumes.
    """

    def __init__(
        self,
        data: Sequence[dict[str, Any]],
        transform: Callable[..., Any],
        image_key: str = "image",
        copies: Sequence[str] = (),
        channels: int = 3,
        spatial_dims: int = 2,
    ) -> None:
        super().__init__(data, transform)
        self.keys = (image_key, *copies)
        self.shape = (channels, *[1] * spatial_dims)

    def _transform(self, index: int) -> Any:
        try:
            return super()._transform(index) | {"error": ""}
        except Exception as error:
            cause = user_error_behind(error)
            if cause is None and is_out_of_memory(error):
                cause = UserError(f"{self.data[index]['file']}: takes more memory than is free; make it smaller")
            if cause is None:
                raise
            return self.data[index] | {key: torch.zeros(self.shape) for key in self.keys} | {"error": str(cause)}
