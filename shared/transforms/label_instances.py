"""Instances of label maps that know classes only."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_numpy
from skimage.measure import label as connected_components

__all__ = ["LabelInstancesd"]


class LabelInstancesd(MapTransform):
    """Numbers the instances of a label map; a map that already numbers them stays as it is.

    Where the map holds classes or a plain mask, which the item says under ``kind_key``, each connected region of one
    value is an instance, neighbours being those that share a side.

    Args:
        keys: keys of the label maps.
        kind_key: key of ``"instances"``, ``"classes"`` or ``"binary"``; without it the map numbers instances.
        allow_missing_keys: leave items without the key as they are.

    Shape:
        (1, *spatial), as the input.

    Example:
        >>> import torch
        >>> item = {"label": torch.tensor([[[1, 1, 0, 1, 2]]]), "kind": "classes"}
        >>> LabelInstancesd("label")(item)["label"].tolist()
        [[[1, 1, 0, 2, 3]]]
    """

    def __init__(self, keys: KeysCollection, kind_key: str = "kind", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.kind_key = kind_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        if result.get(self.kind_key, "instances") != "instances":
            for key in self.key_iterator(result):
                regions = connected_components(convert_to_numpy(result[key])[0].astype(int), connectivity=1)
                result[key] = convert_to_dst_type(regions[None], result[key], dtype=result[key].dtype)[0]
        return result
