"""Label maps as writers of pictures want them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import torch
from monai.transforms import MapTransform

__all__ = ["PictureLabelsd"]

TYPES = (torch.uint8, torch.uint16)


class PictureLabelsd(MapTransform):
    """Gives label maps of pictures without their channel, in the smallest type of those that a PNG can hold.

    What has labels beyond 16 bits keeps its type. MONAI Label hands such label maps out as the pictures that they are;
    of others it writes one column, or fails.

    Args:
        keys: keys of the label maps, 0 is background.
        allow_missing_keys: leave items without the key as they are.

    Raises:
        ValueError: at work, several channels, or labels that are no whole numbers.

    Shape:
        ``(1, W, H)``; the result is ``(W, H)``.

    Example:
        >>> found = PictureLabelsd("pred")({"pred": torch.tensor([[[0, 256]]])})["pred"]
        >>> found.tolist(), found.dtype
        ([[0, 256]], torch.uint16)
    """

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        result = dict(data)
        for key in self.key_iterator(result):
            labels = result[key]
            if len(labels) != 1 or labels.ndim != 3 or labels.is_floating_point():
                raise ValueError(f"{key} must be whole numbers (1, W, H), got {labels.dtype} {tuple(labels.shape)}")
            largest = int(labels.max())
            fitting = (type_ for type_ in TYPES if largest <= torch.iinfo(type_).max)
            result[key] = labels[0].to(next(fitting, labels.dtype))
        return result
