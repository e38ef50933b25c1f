"""Normalisation put off until a picture is cut into windows, so that until then it stays as small as it is stored."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..transforms import CheckFinited

__all__ = ["LazyNormalizeIntensityd", "Moments"]

MEAN, DEVIATION = "lazy_mean", "lazy_deviation"  # keys in the meta data


class LazyNormalizeIntensityd(MapTransform):
    """MONAI's ``NormalizeIntensityd`` that leaves the picture as it is: mean and deviation go into its meta data.

    ``TiledInferer`` subtracts and divides window by window, which gives the same numbers to the last bit, but 0
    throughout for a picture of one value. A grey picture of 8 bits so takes one byte per pixel instead of four, and
    needs no copy to be shown as it was stored.

    Args:
        keys: keys of the pictures, each a ``MetaTensor``.
        allow_missing_keys: leave items without the key as they are.

    Raises:
        ValueError: at work, a picture without meta data.
        UserError: at work, a picture that is not finite once it is normalised.

    Shape:
        Any, also of the result.

    Example:
        >>> picture = MetaTensor(torch.tensor([[[3, 3, 5, 5]]], dtype=torch.uint8))
        >>> lazy = LazyNormalizeIntensityd("image")({"image": picture})["image"]
        >>> lazy.as_tensor().tolist(), Moments(lazy[None]).normalize(0, lazy.as_tensor()).tolist()
        ([[[3, 3, 5, 5]]], [[[-1.0, -1.0, 1.0, 1.0]]])
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            picture = result[key]
            if not isinstance(picture, MetaTensor):
                raise ValueError(f"{key} must be a MetaTensor, got {type(picture).__name__}")
            values = picture.as_tensor().float()
            least, most = (value.item() for value in values.aminmax())
            if least == most:  # the mean of equal values is rounded, and what is left would be divided by itself
                moments = {MEAN: least, DEVIATION: 1.0}
            else:
                moments = {MEAN: values.mean().item(), DEVIATION: values.std(unbiased=False).item() or 1.0}
            # Of finite values these are infinite where the sum of their squares is.
            CheckFinited(key)({key: MetaTensor(torch.tensor(list(moments.values())), meta=picture.meta)})
            result[key] = MetaTensor(picture.as_tensor(), meta=picture.meta | moments)  # of the same memory
        return result


class Moments:
    """Mean and deviation of each picture of a batch, if their normalisation was put off.

    Args:
        pictures: a batch, or one picture.

    Raises:
        ValueError: whole numbers whose normalisation was not put off; no network takes these.
    """

    def __init__(self, pictures: torch.Tensor) -> None:
        meta = getattr(pictures, "meta", {})
        self.there = MEAN in meta
        if self.there:
            shape = (-1, *[1] * (pictures.ndim - 1))
            self.mean, self.deviation = (
                torch.as_tensor(meta[key], dtype=torch.float32, device=pictures.device).reshape(shape)
                for key in (MEAN, DEVIATION)
            )
        elif not pictures.is_floating_point():
            raise ValueError(
                f"pictures must be normalised, or have their normalisation put off, got {pictures.dtype} without"
            )

    def normalize(self, number: int, window: torch.Tensor) -> torch.Tensor:
        """Normalise a window of the picture of this number in the batch."""
        if not self.there:
            return window
        return (window.float() - self.mean[number]) / self.deviation[number]
