"""Normalisation that makes nothing of an image of one value."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, NormalizeIntensity

__all__ = ["NormalizeImaged"]


class NormalizeImaged(MapTransform):
    """MONAI's ``NormalizeIntensityd`` but for an image of one value, which becomes 0.

    The mean of equal values is rounded; MONAI divides what is left by itself, which gives 1 or -1 throughout.

    Args:
        keys: keys of the images.
        allow_missing_keys: leave items without the key as they are.

    Shape:
        Any; float32.

    Example:
        >>> NormalizeImaged("image")({"image": torch.full((1, 128, 128), 0.1)})["image"].abs().max().item()
        0.0
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.normalize = NormalizeIntensity()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            least, greatest = torch.aminmax(torch.as_tensor(result[key]))
            normalized: Any = self.normalize(result[key])
            result[key] = normalized if least < greatest else torch.zeros_like(normalized)
        return result
