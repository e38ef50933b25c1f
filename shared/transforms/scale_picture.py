"""Brings pictures of any depth of bits, bright or dim, to one scale."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.transforms.utils_pytorch_numpy_unification import percentile

__all__ = ["ScalePictured", "scale_picture"]


def scale_picture(
    picture: torch.Tensor, lower: float = 0.5, upper: float = 99.8, brightest: float = 4.0, speck: int = 20
) -> torch.Tensor:
    """Scale a picture, all channels together, so that its background is near 0 and its brightest parts near 1.

    MONAI's ``ScaleIntensityRangePercentiles`` takes two percentiles. Where nuclei are few in a large picture both lie
    in the background, and nuclei come out many times brighter than any that were learned from, or, where the
    background is flat, are not scaled at all. Here nothing larger than a speck becomes brighter than ``brightest``.

    Args:
        picture: of any finite values.
        lower: percentile that becomes 0.
        upper: percentile that becomes 1, unless that makes something too bright.
        brightest: what becomes of that, 1 at least.
        speck: pixels that may be brighter, such as hot ones, 0 at least; nuclei of the Data Science Bowl have 21 or
            more.

    Returns:
        float32; what lies outside the bounds is kept, not cut. A picture of one value is all 0.

    Shape:
        (C, *spatial), as the input.

    Example:
        >>> scale_picture(torch.tensor([[[2, 2, 2, 6]]]), upper=50, speck=0)
        tensor([[[0., 0., 0., 4.]]])
    """
    values = picture.float()
    ignored = min(100 * speck / values[0].numel(), 100 - upper)
    low, high, peak = (float(percentile(values, q)) for q in (lower, upper, 100 - ignored))
    return (values - low) / (max(high - low, (peak - low) / brightest) or 1.0)


class ScalePictured(MapTransform):
    """``scale_picture`` on the items of a dictionary; what MONAI notes about a picture stays with it.

    Args:
        keys: keys of the pictures.
        lower: percentile that becomes 0.
        upper: percentile that becomes 1, unless that makes something brighter than 4 which is larger than a speck.
        allow_missing_keys: leave items without the key as they are.

    Raises:
        ValueError: the percentiles are not in order within 0 to 100.

    Shape:
        (C, *spatial), as the input.
    """

    def __init__(
        self, keys: KeysCollection, lower: float = 0.5, upper: float = 99.8, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 <= lower < upper <= 100:
            raise ValueError(f"lower and upper must be in order within 0 to 100, got {lower} and {upper}")
        self.lower, self.upper = lower, upper

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = scale_picture(result[key], self.lower, self.upper)
        return result
