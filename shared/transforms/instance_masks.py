"""The masks of the classes as a map of instances leaves them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_tensor

__all__ = ["InstanceMasksd"]


class InstanceMasksd(MapTransform):
    """Makes of the probabilities of classes the masks that ``SaveInstances`` writes, so that these are what is scored.

    A pixel belongs to its likeliest class where there is an instance, and to none elsewhere: what ``SplitNucleid`` has
    dropped for its size is in no mask.

    Args:
        keys: keys of the probabilities.
        instances: key of the map of instances, 0 is background.
        allow_missing_keys: leave items without the key as they are.

    Raises:
        ValueError: in a call, the two have other sides.

    Shape:
        Probabilities (classes, *spatial) and instances (1, *spatial); masks (classes, *spatial) float32, 0 or 1.

    Example:
        >>> item = {"pred": torch.tensor([[0.9, 0.7, 0.2], [0.1, 0.8, 0.6]]), "nuclei": torch.tensor([[1, 2, 0]])}
        >>> InstanceMasksd("pred", "nuclei")(item)["pred"].tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """

    def __init__(self, keys: KeysCollection, instances: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.instances = instances

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            probability = convert_to_tensor(result[key])
            instances = convert_to_tensor(result[self.instances], device=probability.device)
            if instances.shape != (1, *probability.shape[1:]):
                shapes = f"{tuple(instances.shape)} and {tuple(probability.shape)}"
                raise ValueError(f"{self.instances} and {key} must be (1, ...) and (classes, ...), got {shapes}")
            classes = torch.arange(len(probability), device=probability.device).view(-1, *[1] * (probability.ndim - 1))
            masks = (probability.argmax(dim=0, keepdim=True) == classes) & (instances > 0)
            result[key] = convert_to_dst_type(masks, result[key], dtype=torch.float32)[0]
        return result
