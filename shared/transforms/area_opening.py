"""Probabilities less the regions that are too small to count."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_numpy
from skimage.morphology import area_opening

__all__ = ["AreaOpeningd"]


class AreaOpeningd(MapTransform):
    """Lowers probabilities until each connected region above any threshold has ``min_area`` pixels or more.

    What exceeds a threshold afterwards is exactly what ``SaveDefects`` leaves of what exceeded it before, whichever
    threshold it is. So the greatest value that is left is the score by which a picture is NG or OK.

    Args:
        keys: keys of the probabilities.
        min_area: of a region, in pixels or voxels, 1 or more; with 1 nothing changes.
        allow_missing_keys: leave items without the key as they are.

    Raises:
        ValueError: ``min_area`` is out of its range.

    Shape:
        (C, *spatial), as the input; each channel by itself. Neighbours touch by a side, an edge or a corner.

    Example:
        >>> import torch
        >>> item = {"pred": torch.tensor([[[0.9, 0.6, 0.2], [0.1, 0.1, 0.1], [0.1, 0.1, 0.8]]], dtype=torch.float64)}
        >>> AreaOpeningd("pred", min_area=2)(item)["pred"].tolist()
        [[[0.6, 0.6, 0.2], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]]]
    """

    def __init__(self, keys: KeysCollection, min_area: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if not isinstance(min_area, int) or min_area < 1:
            raise ValueError(f"min_area must be a whole number of 1 or more, got {min_area}")
        self.min_area = min_area

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        if self.min_area > 1:
            for key in self.key_iterator(result):
                opened = [_opened(channel, self.min_area) for channel in convert_to_numpy(result[key])]
                result[key] = convert_to_dst_type(np.stack(opened), result[key])[0]
        return result


def _opened(probability: np.ndarray, min_area: int) -> np.ndarray:
    # A rim below all probabilities: scikit-image keeps what reaches all borders whatever its size, and needs two rows.
    framed = np.pad(probability, 1, constant_values=-1)
    inner = (slice(1, -1),) * probability.ndim
    return area_opening(framed, min_area, connectivity=probability.ndim)[inner].clip(0)
