"""Refuses what is not finite, by the name of its file."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..errors import UserError

__all__ = ["CheckFinited"]

FAULT = "its values are not finite once they are normalised; mend the file, for example huge values that mean 'no data'"


class CheckFinited(MapTransform):
    """Raises an error for an image with NaN or infinity in it, which a network or a threshold would hide.

    Args:
        keys: keys of the images, which keep what MONAI notes about their files.
        allow_missing_keys: leave items without the key as they are.

    Raises:
        UserError: at work, naming the file.

    Shape:
        Any; the images stay as they are.

    Example:
        >>> CheckFinited("image")({"image": torch.tensor([[1.0, float("inf")]])})
        Traceback (most recent call last):
        shared.errors.UserError: image: its values are not finite once they are normalised; ...
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            if not torch.isfinite(data[key]).all():
                file = getattr(data[key], "meta", {}).get("filename_or_obj", key)
                raise UserError(f"{file}: {FAULT}")
        return dict(data)
