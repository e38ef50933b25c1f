"""Tumour labels from the probabilities of the three nested regions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_tensor

__all__ = ["TumourLabelsd"]

# Each region paints over those that it lies in: channel and what it is outside the next.
PAINTED = ((1, 2), (0, 1), (2, 3))


class TumourLabelsd(MapTransform):
    """The inverse of MONAI's ``ConvertToMultiChannelBasedOnBratsClassesd`` with ``et_label=3``, in its order.

    Enhancing tumour (3) is what exceeds the threshold as such, necrotic and non-enhancing core (1) what else does as
    tumour core, oedema (2) what else does as whole tumour: the innermost region decides.

    Args:
        keys: keys of the probabilities.
        threshold: a region is found above it, in [0, 1).
        allow_missing_keys: leave items without the key as they are.

    Raises:
        ValueError: ``threshold`` is out of its range; in a call, there are not three channels.

    Shape:
        Probabilities (3, *spatial) of tumour core, whole tumour and enhancing tumour; labels (1, *spatial), uint8.

    Example:
        >>> regions = torch.tensor([[0.1, 0.2, 0.8, 0.3], [0.2, 0.9, 0.9, 0.1], [0.1, 0.0, 0.3, 0.7]])
        >>> TumourLabelsd("pred")({"pred": regions})["pred"]
        tensor([[0, 2, 1, 3]], dtype=torch.uint8)
    """

    def __init__(self, keys: KeysCollection, threshold: float = 0.5, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
        self.threshold = threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            regions = convert_to_tensor(result[key])
            if len(regions) != 3:
                raise ValueError(f"{key} must have the channels TC, WT and ET, got the shape {tuple(regions.shape)}")
            labels = torch.zeros((1, *regions.shape[1:]), dtype=torch.uint8, device=regions.device)
            for channel, label in PAINTED:
                labels[0][regions[channel] > self.threshold] = label
            result[key] = convert_to_dst_type(labels, result[key], dtype=torch.uint8)[0]
        return result
