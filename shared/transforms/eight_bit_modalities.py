"""Volumes in 8 bits, as NVIDIA's preparation of BraTS stores them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

__all__ = ["EightBitModalitiesd"]

SHARE = 0.85  # of the greatest value


class EightBitModalitiesd(MapTransform):
    """Clips each modality at 0.85 of its greatest value, which becomes 255, and cuts the rest to whole numbers.

    Args:
        keys: keys of the volumes, of values from 0; what is below remains so.
        allow_missing_keys: leave items without the key as they are.

    Shape:
        (C, W, H, D), also of the result, float32; a channel of 0 remains 0.

    Reference:
        NVIDIA DeepLearningExamples, TensorFlow/Segmentation/UNet_3D_Medical, dataset/preprocess_data.py.

    Example:
        >>> volume = torch.tensor([0.0, 10.0, 850.0, 1000.0]).reshape(1, 4, 1, 1)
        >>> EightBitModalitiesd("image")({"image": volume})["image"].flatten().tolist()
        [0.0, 3.0, 255.0, 255.0]
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            volume = result[key].float()
            greatest = SHARE * volume.amax(dim=(1, 2, 3), keepdim=True)
            scaled = 255 * (torch.minimum(volume, greatest) / greatest.where(greatest > 0, 1.0))
            result[key] = scaled.trunc()
        return result
