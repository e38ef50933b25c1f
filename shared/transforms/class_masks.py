"""Label maps as one binary channel per class."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

__all__ = ["ClassMasksd"]


class ClassMasksd(MapTransform):
    """Turns a label map into the masks that a network with one sigmoid per class learns; background gets no channel.

    With one class everything above 0 belongs to it, so that a map of instances serves as well as a mask.

    Args:
        keys: keys of the label maps.
        num_classes: number of classes besides background, 1 at least.
        allow_missing_keys: leave items without the key as they are.

    Raises:
        ValueError: ``num_classes`` is less than 1.

    Shape:
        Label map (1, ...), result (num_classes, ...) float32, 0 or 1.

    Example:
        >>> ClassMasksd("label", num_classes=2)({"label": torch.tensor([[0, 2, 1]])})["label"].tolist()
        [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
        >>> ClassMasksd("label", num_classes=1)({"label": torch.tensor([[0, 2, 1]])})["label"].tolist()
        [[0.0, 1.0, 1.0]]
    """

    def __init__(self, keys: KeysCollection, num_classes: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if num_classes < 1:
            raise ValueError(f"num_classes must be 1 at least, got {num_classes}")
        self.num_classes = num_classes

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            label = result[key]
            masks = [label > 0] if self.num_classes == 1 else [label == c for c in range(1, self.num_classes + 1)]
            result[key] = torch.cat(masks).float()
        return result
